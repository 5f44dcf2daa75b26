"""What the demo's tests share: tiny checkpoints on disk, and the demo as a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import slipstream_mlx  # noqa: F401  (puts MKL in place before anything imports mlx)

import mlx.core as mx  # isort: skip

from slipstream_mlx import checkpoint
from slipstream_mlx.model import ModelArgs, SlipstreamLM
from slipstream_mlx.tokenizer import GPT2Tokenizer

ROOT = Path(__file__).resolve().parent.parent
TEXT = "Who won the 1988 race at Monza? Ayrton Senna is a Formula One driver who drove for McLaren in Monaco."


def save_tiny(folder: Path, seed: int = 0, stage: str = "pretrain", n_positions: int = 96) -> Path:
    """A checkpoint of a tiny random model, with the training.json of a run that overfitted."""
    tokenizer = GPT2Tokenizer.trimmed([TEXT], 320)
    mx.random.seed(seed)
    model = SlipstreamLM(ModelArgs(tokenizer.vocab_size, n_positions, 32, 2, 2))
    model.apply(lambda p: p + 0.3 * mx.random.normal(p.shape))
    checkpoint.save_description(folder, model.args, tokenizer)
    checkpoint.save_weights(folder, model, step=20, val_loss=2.5)
    history = [
        {
            "step": step,
            "loss": 4 - step / 20,
            "val_loss": 2.5 + abs(step - 20) / 20,
            "lr": 1e-3,
            "tokens_per_second": 9.0,
        }
        for step in (10, 20, 30, 40)
    ]
    training = {
        "stage": stage, "preset": "nano", "step": 40, "best_step": 20, "best_val_loss": 2.5, "finished": "steps",
        "settings": {"steps": 40, "lr": 1e-3}, "data": {"text": {"documents": 3, "fingerprint": "c0ffee"}},
        "history": history, "command": ["slipstream", "train"],
    }  # fmt: skip
    (folder / "training.json").write_text(json.dumps(training))
    return folder


def save_pair(root: Path) -> tuple[Path, Path]:
    return save_tiny(root / "base", 1), save_tiny(root / "qa", 2, "finetune_qa")


class DemoProcess:
    """`python demo/app.py` with its output, as a context manager; `port=0` finds a free one."""

    def __init__(self, base: Path, qa: Path, *flags: str):
        self.flags = ["--base", str(base), "--qa", str(qa), "--port", str(free_port()), *flags]
        self.output = ""

    def __enter__(self) -> "DemoProcess":
        env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "demo" / "app.py"), *self.flags],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        while line := self.process.stdout.readline():
            self.output += line
            if found := re.search(r"http://[\d.]+:\d+", line):
                self.url = found[0]
                self.seconds_to_serve = time.perf_counter() - self.began
                return self
        raise AssertionError(f"the demo ended with {self.process.wait()}:\n{self.output}")

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.stop()

    def stop(self, number: int = signal.SIGINT, timeout: float = 30) -> int:
        """Ask it to end; returns the exit status. `output` then holds all that it printed."""
        self.process.send_signal(number)
        try:
            rest, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.output += rest
        return self.process.returncode

    def memory_mib(self) -> float:
        """Resident memory of the process."""
        rss = subprocess.run(["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, text=True)
        return int(rss.stdout) / 1024


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
