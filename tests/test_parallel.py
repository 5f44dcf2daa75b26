"""Two processes on one machine's CPU, started as a user starts them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from slipstream_mlx.parallel import Team
from slipstream_mlx.train import main

FLAGS = ["--preset", "token-forge", "--batch-size", "8", "--steps", "12", "--eval-every", "3", "--eval-batches", "3"]


def free_ports():
    """The first of two neighbouring ports that are free now."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            with contextlib.suppress(OSError):
                two.bind(("127.0.0.1", port + 1))
                return port


ENV = os.environ | {"MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # two processes share the cores
ACCIDENT = """
import os, signal, sys
from slipstream_mlx import parallel, train
kind, rank, words = sys.argv[1], os.environ.get("MLX_RANK", "0"), sys.argv[2:]
parallel.GRACE = 2
real = train.make_batches

def make_batches(*args):
    batches = real(*args)
    def until_step_7(step):
        if step == 7 and kind == "power cut":
            raise SystemExit(3)
        if step == 7 and kind == "killed" and rank == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        if step == 7 and kind == "hangs" and rank == "1":
            os.kill(os.getpid(), signal.SIGSTOP)
        if step == 7 and kind == "interrupted" and rank == "1":
            os.kill(os.getpid(), signal.SIGINT)
        return batches(step)
    return until_step_7

train.make_batches = make_batches
train.main(words)
"""


class Trainer:
    """`slipstream train` on a small text, by one process or two, with or without an accident at step 7."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog. " * 200)
        (folder / "accident.py").write_text(ACCIDENT)

    def words(self, name, accident, flags):
        files = ["--corpus", self.folder / "text.txt", "--out", self.folder / name]
        start = [self.folder / "accident.py", accident] if accident else ["-m", "slipstream_mlx.train"]
        return [str(word) for word in (sys.executable, *start, *FLAGS, *files, *flags)]

    def alone(self, name, *flags, accident=None):
        return subprocess.run(
            self.words(name, accident, flags), env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def launched(self, name, *flags, accident=None):
        """As a user starts it. (The launcher's own exit status is 0 even if a process failed.)"""
        launcher = [sys.executable, Path(sys.executable).with_name("mlx.launch"), "-n", "2", "--backend", "ring"]
        launcher = [*map(str, launcher), "--starting-port", str(free_ports()), "--"]
        words = launcher + self.words(name, accident, flags)
        return subprocess.run(words, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def two(self, name, *flags, accident=None):
        """As the launcher starts them, but in our own hands."""
        port = free_ports()
        hosts = self.folder / f"hosts-{port}.json"
        hosts.write_text(json.dumps([[f"127.0.0.1:{port}"], [f"127.0.0.1:{port + 1}"]]))
        return [
            subprocess.Popen(
                self.words(name, accident, flags), env=ENV | {"MLX_HOSTFILE": str(hosts), "MLX_RANK": str(rank)},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for rank in range(2)
        ]  # fmt: skip

    def record(self, name):
        return json.loads((self.folder / name / "training.json").read_text())

    def losses(self, name):
        return [(row["step"], row["loss"], row["val_loss"]) for row in self.record(name)["history"]]


@pytest.fixture
def trainer(tmp_path):
    return Trainer(tmp_path)


def test_two_processes_do_what_one_does(trainer):
    trainer.alone("one")
    result = trainer.launched("two")
    assert result.stdout.count("best: validation loss") == 1, "one process speaks for all" + result.stderr
    assert trainer.record("one")["processes"] == 1 and trainer.record("two")["processes"] == 2
    np.testing.assert_allclose(trainer.losses("one"), trainer.losses("two"), rtol=2e-4)
    assert trainer.record("one")["tokens"] == trainer.record("two")["tokens"]


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(trainer):
    trainer.alone("whole")
    assert trainer.alone("one then two", accident="power cut").returncode == 3
    trainer.launched("one then two", "--resume")
    for process in trainer.two("two then one", accident="power cut"):
        process.communicate(timeout=60)
    trainer.alone("two then one", "--resume")
    for name in ("one then two", "two then one"):
        np.testing.assert_allclose(trainer.losses("whole"), trainer.losses(name), rtol=2e-4)


@pytest.mark.slow
def test_a_process_that_dies_ends_the_other_with_a_word(trainer):
    first, second = trainer.two("out", accident="killed")
    _, error = first.communicate(timeout=60)
    second.communicate(timeout=60)
    assert first.returncode == 2 and second.returncode == -signal.SIGKILL
    assert "error: process 0 of 2 lost another one" in error and "Traceback" not in error
    assert trainer.record("out")["step"] == 6
    assert "WARN" in trainer.launched("launched", accident="killed").stderr


@pytest.mark.slow
def test_a_process_that_hangs_does_not_hold_the_other_for_ever(trainer):
    first, second = trainer.two("out", accident="hangs")
    deadline = time.time() + 60
    while time.time() < deadline and os.waitpid(second.pid, os.WUNTRACED | os.WNOHANG) == (0, 0):
        time.sleep(0.1)  # until the second has stopped
    time.sleep(1)
    first.send_signal(signal.SIGTERM)
    _, error = first.communicate(timeout=30)
    second.kill()
    second.communicate()
    assert first.returncode == 2 and "error: process 0 of 2 lost another one" in error


@pytest.mark.slow
def test_one_interrupted_process_stops_all_after_the_same_step(trainer):
    results = [(p, *p.communicate(timeout=60)) for p in trainer.two("out", accident="interrupted")]
    assert [process.returncode for process, _, _ in results] == [130, 130]
    assert "all is saved" in results[0][2] and "all is saved" not in results[1][2]
    assert trainer.record("out")["step"] in (8, 9)
    trainer.alone("whole")
    trainer.launched("out", "--resume")
    np.testing.assert_allclose(trainer.losses("whole")[-1], trainer.losses("out")[-1], rtol=2e-4)


class Group:
    """Process `rank` of three."""

    def __init__(self, rank):
        self.rank, self.size = lambda: rank, lambda: 3


def test_shares_of_a_batch_make_up_the_batch():
    batch = [tuple(np.arange(4 * rows).reshape(rows, 4) + k for k in range(3)) for rows in (7, 1)]
    shares = [Team(Group(rank)).share(batch) for rank in range(3)]
    for k in range(3):
        rows = np.concatenate([part[k] for share in shares for part in share])
        assert sorted(rows.tolist()) == sorted(np.concatenate([part[k] for part in batch]).tolist())
    assert {len(share[0][0]) for share in shares} == {2, 3}
    assert all(
        (a == b).all()
        for one, two in zip(Team().share(batch), batch, strict=True)
        for a, b in zip(one, two, strict=True)
    )


def test_a_batch_that_is_too_small_is_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("slipstream_mlx.train.team", lambda: Team(Group(0)))
    monkeypatch.setattr(Team, "check_equal", lambda *_: None)
    monkeypatch.setattr(Team, "__enter__", lambda self: self)
    monkeypatch.setattr(Team, "__exit__", lambda *_: None)
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog. " * 60)
    with pytest.raises(SystemExit) as stop:
        main(["--preset", "token-forge", "--corpus", str(text), "--batch-size", "2", "--out", str(tmp_path / "a")])
    assert stop.value.code == 2 and "fewer rows than there are processes (3)" in capsys.readouterr().err
