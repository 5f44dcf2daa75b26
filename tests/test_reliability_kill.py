"""A training run is killed at 30 random moments, many of them inside a save, and ends as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slipstream_mlx import load

KILLS, STEPS, SEED = 30, 100, 1950
FLAGS = [
    "--preset",
    "token-forge",
    "--steps",
    str(STEPS),
    "--eval-every",
    "1",
    "--eval-batches",
    "1",
    "--batch-size",
    "2",
]
FLAGS += ["--context", "16", "--lr", "2e-4", "--dropout", "0.1"]  # dropout: the random state has to come back too


def start(corpus: Path, out: Path, resume: bool) -> subprocess.Popen:
    command = [sys.executable, "-m", "slipstream_mlx.train", *FLAGS, "--corpus", str(corpus), "--out", str(out)]
    log = open(out.with_suffix(".log"), "w")  # noqa: SIM115  (a file and no pipe: nobody reads while it runs)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen([*command, *(["--resume"] if resume else [])], stdout=log, stderr=log, env=environment)


def log_of(out: Path) -> str:
    return out.with_suffix(".log").read_text()


def step_of(out: Path) -> int:
    try:
        return json.loads((out / "training.json").read_text(encoding="utf-8"))["step"]
    except FileNotFoundError:
        return 0


@pytest.mark.slow
def test_thirty_kills_lose_nothing(tmp_path, capsys):
    corpus = tmp_path / "text.txt"
    corpus.write_text("the quick brown fox jumps over the lazy dog. " * 60)
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "killed"
    began = time.monotonic()
    process = start(corpus, undisturbed, resume=False)
    assert process.wait(timeout=300) == 0, log_of(undisturbed)
    whole_time = time.monotonic() - began

    rng = random.Random(SEED)
    kills = inside_saves = before_first = 0
    while kills < KILLS:
        process = start(corpus, out, resume=(out / "state" / "last.safetensors").exists())
        while "parameters on" not in log_of(out):  # then it is about to begin
            assert process.poll() is None, log_of(out)
            time.sleep(0.01)
        if kills % 2 == 0:  # at any moment
            time.sleep(rng.uniform(0, 0.07) * whole_time)  # 15 of these are half a run
        else:  # inside a save: wait for a half-written file, then a little for the save to get somewhere
            step, wanted = step_of(out), rng.choice([".tmp-model*", "state/.tmp-last*", ".tmp-training*", "**/.tmp-*"])
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and (step_of(out) < step + 1 or not any(out.glob(wanted))):
                time.sleep(0.0003)
            time.sleep(rng.uniform(0, 0.002))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        assert process.returncode == -signal.SIGKILL, "it ended before it could be killed: give it more steps"
        kills += 1
        inside_saves += any(out.rglob(".tmp-*"))
        if (out / "training.json").exists():
            model, tokenizer = load(out)  # there is always a checkpoint that loads
            assert capsys.readouterr().err == "", "and it is never the one before"
            assert tokenizer.vocab_size == model.args.vocab_size
        else:
            before_first += 1
    reached = step_of(out)
    process = start(corpus, out, resume=True)
    assert process.wait(timeout=300) == 0, log_of(out)
    with capsys.disabled():
        print(
            f"\nkill run: {kills} kills, {inside_saves} of them inside a save, {before_first} before the first save; "
            f"step {reached} of {STEPS} reached by then"
        )
    assert inside_saves >= 8
    for name in ("config.json", "tokenizer.json", "model.safetensors", "transformers.safetensors"):
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes(), name
    history, whole = (json.loads((f / "training.json").read_text())["history"] for f in (out, undisturbed))
    assert [(r["step"], r["loss"], r["val_loss"]) for r in history] == [
        (r["step"], r["loss"], r["val_loss"]) for r in whole
    ]
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert names == {p.relative_to(undisturbed).as_posix() for p in undisturbed.rglob("*") if p.is_file()}
    assert not [name for name in names if ".tmp-" in name or name.endswith("lock")]
