"""Faults: full disks, folders that refuse, damaged files, two runs at once, settings that changed, broken losses."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from slipstream_mlx import SlipstreamError, checkpoint, load, memory
from slipstream_mlx.presets import TrainArgs, get_preset
from slipstream_mlx.train import main

TEXT = "the quick brown fox jumps over the lazy dog. " * 60
FLAGS = ["--preset", "token-forge", "--eval-every", "2", "--eval-batches", "1", "--batch-size", "2", "--context", "16"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def trained_once(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "out"
    main([*FLAGS, "--corpus", str(corpus), "--out", str(out), "--steps", "6"])
    return out


@pytest.fixture
def trained(trained_once, tmp_path):
    """A finished run of six steps, three saves, to be damaged at will."""
    return shutil.copytree(trained_once, tmp_path / "out")


def go(corpus, out, *flags, steps=6):
    main([*FLAGS, "--corpus", str(corpus), "--out", str(out), "--steps", str(steps), *flags])


def refusal(capsys, corpus, out, *flags, steps=6):
    """The one line that a run ends with; nothing in the folder may have changed."""
    before = contents(Path(out))
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        go(corpus, out, *flags, steps=steps)
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert stop.value.code == 2 and len(error) == 1
    assert contents(Path(out)) == before
    return error[0]


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def damage(path, how):
    raw = bytearray(path.read_bytes())
    if how == "truncated":
        del raw[len(raw) * 2 // 3 :]
    elif how == "flipped":
        raw[len(raw) * 2 // 3] ^= 1
    else:
        raw.clear()
    path.write_bytes(raw)


# Damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["truncated", "flipped", "emptied"])
def test_damaged_weights_are_named_and_the_save_before_is_used(trained, how, capsys):
    before, _ = load(trained / "previous")
    damage(trained / "model.safetensors", how)
    found, _ = load(trained)
    error = capsys.readouterr().err
    assert str(trained / "model.safetensors") in error and "previous" in error and error.count("\n") == 1
    assert mx.array_equal(found.wpe.weight, before.wpe.weight)
    damage(trained / "previous" / "model.safetensors", "truncated")
    with pytest.raises(SlipstreamError, match="model.safetensors cannot be read"):
        load(trained)


def test_every_flipped_byte_is_found(trained):
    path = trained / "model.safetensors"
    whole = path.read_bytes()
    rng = np.random.default_rng(7)
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [*rng.integers(0, header, 60), *rng.integers(header, len(whole), 60), 0, 7, 8, len(whole) - 1]
    seal = whole.index(b"sha256")
    for place in places:
        raw = bytearray(whole)
        raw[place] ^= 1 << rng.integers(8)
        path.write_bytes(raw)
        if seal - 1 <= place < seal + 9:
            continue  # the hash's own name: then there is nothing to compare with
        with pytest.raises(SlipstreamError, match="cannot be read"):
            checkpoint.read_safetensors(path)


@pytest.mark.parametrize("how", ["truncated", "flipped"])
def test_a_damaged_state_is_named_and_the_one_before_ends_in_the_same_bits(trained, corpus, tmp_path, how, capsys):
    go(corpus, tmp_path / "half", steps=6)
    damage(trained / "state" / "last.safetensors", how)
    capsys.readouterr()
    go(corpus, trained, "--resume")
    streams = capsys.readouterr()
    assert "state/last.safetensors cannot be read" in streams.err and "at step 4" in streams.out
    for name in ("model.safetensors", "transformers.safetensors"):
        assert (trained / name).read_bytes() == (tmp_path / "half" / name).read_bytes()
    damage(trained / "state" / "last.safetensors", how)
    damage(trained / "previous" / "state" / "last.safetensors", how)
    assert "state/last.safetensors cannot be read" in refusal(capsys, corpus, trained, "--resume")


def test_a_resume_mends_damaged_weights(trained, corpus, capsys):
    damage(trained / "model.safetensors", "flipped")
    go(corpus, trained, "--resume")
    assert "model.safetensors is damaged" in capsys.readouterr().err
    assert (trained / "model.safetensors").read_bytes() == (trained / "previous" / "model.safetensors").read_bytes()
    load(trained)
    assert capsys.readouterr().err == ""


def test_weights_of_another_vocabulary_are_refused(trained):
    tokenizer = json.loads((trained / "tokenizer.json").read_text())
    vocab = tokenizer["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
    (trained / "tokenizer.json").write_text(json.dumps(tokenizer))
    (trained / "previous" / "model.safetensors").unlink()
    with pytest.raises(SlipstreamError, match="tokenizer.json is not the one that"):
        load(trained)


def test_a_new_run_keeps_the_old_one_until_it_has_saved_and_as_previous_after(trained, corpus, tmp_path):
    old = (trained / "model.safetensors").read_bytes()
    other = tmp_path / "other.txt"
    other.write_text(TEXT.upper())

    with pytest.raises(SystemExit):  # this one breaks before its first save
        wild = "--lr 10 --muon-lr 10 --grad-clip 0 --warmup-steps 0 --beta2 0 --weight-decay 100"
        main(
            [*FLAGS, "--corpus", str(other), "--out", str(trained), "--steps", "9", "--eval-every", "9", *wild.split()]
        )
    assert (trained / "model.safetensors").read_bytes() == old
    load(trained)
    main([*FLAGS, "--corpus", str(other), "--out", str(trained), "--steps", "2"])
    assert load(trained)[1].encode("FOX")
    assert (trained / "previous" / "model.safetensors").read_bytes() == old
    assert load(trained / "previous")[1].encode("fox")


# Settings ------------------------------------------------------------------------------------------------------


def test_a_resume_with_other_settings_or_data_is_refused_with_what_differs(trained, corpus, tmp_path, capsys):
    error = refusal(capsys, corpus, trained, "--resume", "--lr", "0.5", steps=8)
    assert "lr 0.001 -> 0.5" in error and "steps 6 -> 8" in error and "--force" in error
    other = tmp_path / "other.txt"
    other.write_text(TEXT.replace("quick", "brown"))  # no q: one character less
    error = refusal(capsys, other, trained, "--resume")
    assert "data text" in error and "fingerprint" in error and "vocabulary" in error
    other.write_text(TEXT.replace("quick brown", "brown quick"))  # the same alphabet
    assert "data text: unknown fingerprint" in refusal(capsys, other, trained, "--resume")
    go(other, trained, "--resume", "--force", steps=8)
    assert json.loads((trained / "training.json").read_text())["step"] == 8


def test_another_shape_is_refused_even_with_force(trained, corpus, capsys):
    error = refusal(capsys, corpus, trained, "--resume", "--force", "--preset", "nano")
    assert "should have shape" in error and "of another model" in error


# Losses --------------------------------------------------------------------------------------------------------


def test_a_spike_is_survived(tmp_path):
    """One batch of nonsense in the middle: clipping bounds what it can do, and the loss comes back."""
    from test_train import ARGS, make_batches, run
    from test_train import TEXT as tokens

    real = make_batches([(tokens, 1.0)], ARGS.batch_size, ARGS.context, 299, ARGS.seed)

    def spiked(step):
        ((inputs, targets, weights),) = real(step)
        return [(inputs, (targets + 97) % 299, weights * 1e6) if step == 60 else (inputs, targets, weights)]

    record, _ = run(tmp_path / "a", dataclasses.replace(ARGS, steps=120, eval_every=10), batches=spiked)
    losses = [row["loss"] for row in record["history"]]
    assert max(losses) > 1e4 and losses[-1] < 1.5


# Memory --------------------------------------------------------------------------------------------------------


def test_a_batch_that_cannot_fit_is_refused_before_the_first_step(tmp_path, corpus, capsys):
    error = refusal(capsys, corpus, tmp_path / "out", "--batch-size", "1000000", "--context", "64")
    assert "--batch-size 1000000 with --context 64 takes more than" in error and "--accumulate" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "said",
    [
        "[METAL] Command buffer execution failed: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackError)",
        "[malloc] Unable to allocate 123 bytes.",
        "cudaMallocAsync failed: out of memory",
    ],
)
def test_running_out_of_memory_says_what_would_fit(tmp_path, said):
    """With what the three backends say; MLX's CPU backend gives no error but dies instead."""
    from test_train import run

    def starved(step):
        raise RuntimeError(said)

    with pytest.raises(SlipstreamError, match="out of memory with --batch-size 4 .* --accumulate 2 gives the same"):
        run(tmp_path / "out", batches=starved)


@pytest.mark.parametrize(
    "flags,device_gib,limit_gib",
    [({}, 80, None), ({}, 12, 7.8), ({}, 0, None), ({"lean": True}, 80, 7.8), ({"recompute": True}, 80, 5.0)],
)
def test_steps_are_held_to_what_they_need_where_memory_is_short(monkeypatch, flags, device_gib, limit_gib):
    """The limits are those under which an H200's steps went on at nearly full speed (docs/results/speed.md)."""
    limits = []
    monkeypatch.setattr(memory, "device_memory", lambda: device_gib << 30)
    monkeypatch.setattr(memory.mx, "set_memory_limit", limits.append)
    memory.limit_memory(TrainArgs(**flags), get_preset("slipstream-51m").model, 64 * 512)
    assert [round(limit / 2**30, 1) for limit in limits] == ([limit_gib] if limit_gib else [])


# Disks and folders ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MiB, or a skip where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = "size=24m"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder, leave):
    """Fill a disk but for `leave` bytes."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "filler").write_bytes(b"\0" * (free - leave))


def test_no_room_is_said_before_the_first_step(small_disk, corpus, capsys):
    error = refusal(capsys, corpus, small_disk / "out")
    assert "out has room for 23 MiB and this run's checkpoints take 40: make room" in error
    assert not (small_disk / "out").exists()


def test_a_disk_that_fills_up_keeps_the_last_save(small_disk, corpus, capsys, monkeypatch):
    """Somebody else fills the disk while we train: past the check, and then at the third save."""
    monkeypatch.setattr(checkpoint, "check_room", lambda *_: None)
    out = small_disk / "out"
    go(corpus, out, steps=2)
    fill(small_disk, leave=5 << 20)  # room for the weights and not for the state
    good = (out / "model.safetensors").read_bytes()
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        go(corpus, out, "--resume", "--force", steps=8)
    error = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2 and "cannot be written" in error and "MiB are free" in error and "--resume" in error
    assert not list(out.rglob(".tmp-*"))
    load(out)
    assert capsys.readouterr().err == "" and (out / "previous" / "model.safetensors").read_bytes() == good
    (small_disk / "filler").unlink()
    go(corpus, out, "--resume", "--force", steps=8)
    assert json.loads((out / "training.json").read_text())["finished"] == "steps"


def test_text_files_on_a_full_disk(small_disk):
    """Reports, manifests and corpora go through the same door."""
    from slipstream_mlx.files import write_text

    write_text(small_disk / "a.json", "old")
    fill(small_disk, leave=0)
    with pytest.raises(OSError):
        write_text(small_disk / "a.json", "new" * 100_000)
    assert (small_disk / "a.json").read_text() == "old" and len(list(small_disk.iterdir())) == 2


def test_a_read_only_folder(tmp_path, corpus, capsys):
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        assert "Read-only file system" in refusal(capsys, corpus, folder / "out")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_no_permission(tmp_path, corpus):
    """As a user who may not write there; root may write anywhere, so root becomes nobody first."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    folder.chmod(0o555)
    script = f"""
import os, sys
from slipstream_mlx.train import main
main([*sys.argv[1:], "--out", "{tmp_path / "first"}"])  # as root: nobody may not even read this Python
if os.getuid() == 0: os.setuid(65534)
main([*sys.argv[1:], "--out", "{folder / "out"}"])
"""
    for path in (tmp_path, *tmp_path.parents[:3]):
        if path.stat().st_uid == os.getuid() and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    command = [sys.executable, "-c", script, *FLAGS, "--corpus", str(text), "--steps", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == f"error: Permission denied: {folder / 'out'}\n"


def test_a_file_where_the_folder_should_be(tmp_path, corpus, capsys):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        go(corpus, tmp_path / "out")
    assert stop.value.code == 2 and capsys.readouterr().err.startswith("error: File exists")
    assert (tmp_path / "out").read_text() == "mine"


# Two runs, and clocks ------------------------------------------------------------------------------------------


def test_two_runs_on_one_folder(tmp_path, corpus, capsys):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "slipstream_mlx.train", *FLAGS, "--corpus", str(corpus), "--out", str(out)]
    first = subprocess.Popen([*command, "--steps", "100000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (out / "training.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(SystemExit) as stop:
            go(corpus, out)
        error = capsys.readouterr().err
        assert stop.value.code == 2 and f"another run (process {first.pid}) is training in {out}" in error
        load(out)  # reading is nobody's harm
    finally:
        first.kill()
        first.wait()
    assert (out / "lock").exists()  # killed: it could not tidy up, and nobody is in the way any more
    go(corpus, out, steps=2)
    assert not (out / "lock").exists()


def test_a_clock_that_goes_back(tmp_path, corpus, monkeypatch):
    """Somebody sets the clock back by a year at every look: speeds and times come from another clock."""
    now = [1.8e9]

    def earlier():
        now[0] -= 365 * 86400
        return now[0]

    monkeypatch.setattr(time, "time", earlier)
    go(corpus, tmp_path / "out")
    go(corpus, tmp_path / "out", "--resume")
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["seconds"] > 0 and all(row["tokens_per_second"] > 0 for row in record["history"])


def test_ctrl_c_before_the_first_step_is_no_traceback(tmp_path, corpus, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("slipstream_mlx.train.read_documents", interrupted)
    with pytest.raises(SystemExit) as stop:
        go(corpus, tmp_path / "out")
    assert stop.value.code == 130 and capsys.readouterr().err == "\nstopped\n" and not (tmp_path / "out").exists()
