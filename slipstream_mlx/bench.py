"""How fast is it here? Training, memory and generation, against PyTorch and mlx-lm where they are installed.

Every contender has a process of its own and they take turns, so that a busy moment hits all of them alike; medians are
told with the lowest and the highest. The first turn warms up and is not counted. The last line is one JSON object.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import mlx.core as mx

from .activations import on_gpu
from .contenders import AT_ONCE, GENERATION, TRAINING, Task, installed, serve
from .errors import Parser, SlipstreamError, command
from .files import write_json
from .presets import PRESETS, get_preset

TURN = 1.0  # seconds of work in a turn, about
ROUNDS = (3, 15)  # how many turns each gets, at least and at most


class Contender:
    """One of those measured, and the process it runs in."""

    def __init__(self, name: str, task: Task):
        self.name, self.task, self.count, self.error, self.peak_gib = name, task, 1, "", 0.0
        self.seconds: list[float] = []
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(name, task, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def turn(self) -> float:
        """Do the work `count` times; how long once took."""
        self._pipe.send(self.count)
        try:
            answer = self._pipe.recv()
        except EOFError:
            answer = {"error": "its process ended without a word (out of memory?)"}
        self.error = answer.get("error", "")
        self.peak_gib = answer.get("peak_gib", 0.0)
        return answer.get("seconds", 0.0) / self.count

    def warm_up(self) -> None:
        """Build and compile."""
        began = time.perf_counter()
        self.turn()
        self.warm_up_seconds = time.perf_counter() - began

    def fit_turn(self) -> None:
        """Find how often the work fits a turn."""
        if self.error:
            return
        once = self.turn()
        self.count = max(1, round(TURN / max(once, 1e-6)))

    def row(self) -> dict:
        """Tokens per second over all turns, or what went wrong."""
        about = {k: v for k, v in vars(self.task).items() if v} | {"contender": self.name}
        if self.error or not self.seconds:
            return about | {"error": self.error}
        many = AT_ONCE if "at once" in self.name else 1
        tokens = self.task.batch_size * self.task.context or self.task.tokens * many
        speeds = [tokens / seconds for seconds in self.seconds]
        return about | {
            "tokens_per_second": statistics.median(speeds), "lowest": min(speeds), "highest": max(speeds),
            "turns": len(speeds), "peak_gib": self.peak_gib, "warm_up_seconds": self.warm_up_seconds,
        }  # fmt: skip

    def close(self) -> None:
        self._pipe.close()
        self._process.join(10)
        self._process.kill()


def measure(contenders: list, seconds: float, say: Callable[[str], None] = lambda _: None) -> list[dict]:
    """Warm all up side by side, for compilers take a minute each, then turn about until the time is over.

    Returns one row for each.
    """
    say("warming up")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda contender: contender.warm_up(), contenders))
    began = time.perf_counter()
    for contender in contenders:
        contender.fit_turn()
    going = [contender for contender in contenders if not contender.error]
    for turns in range(ROUNDS[1]):
        if turns >= ROUNDS[0] and time.perf_counter() - began > seconds:
            break
        say(f"round {turns + 1}")
        for contender in going:
            taken = contender.turn()
            if not contender.error:
                contender.seconds.append(taken)
    rows = [contender.row() for contender in contenders]
    for contender in contenders:
        contender.close()
    return rows


def tasks(args: argparse.Namespace) -> list[tuple[list[str], Task]]:
    """What is to be measured, and by whom."""
    plan = []
    for name in args.preset:
        preset = get_preset(name)
        context = args.context or min(preset.pretrain.context, preset.model.n_positions if on_gpu() else 256)
        # a CPU need not do a GPU's batch to show its speed
        rows = args.batch_size or [preset.pretrain.batch_size if on_gpu() else max(1, 2048 // context)]
        if context > preset.model.n_positions:
            raise SlipstreamError(f"--context {context} is more than {name}'s {preset.model.n_positions}: lower it")
        plan += [(TRAINING, Task(name, batch_size=count, context=context)) for count in rows]
        if args.tokens:
            plan.append((GENERATION, Task(name, tokens=min(args.tokens, preset.model.n_positions - 32))))
    return [([n for n in names if n.startswith("slipstream") or not args.alone], task) for names, task in plan]


def table(rows: list[dict]) -> str:
    """For people. The ratio is ours to the peer's: above 1 we are faster."""
    lines = [f"{'':<44}{'tokens/s':>11}{'lowest':>11}{'highest':>11}{'GiB':>7}{'ours/its':>10}"]
    for row in rows:
        what = f"{row['batch_size']} x {row['context']}" if "batch_size" in row else f"{row['tokens']} tokens"
        head = f"{row['preset']}, {what}: {row['contender']}"
        if "error" in row:
            lines.append(f"{head:<44}  {row['error']}")
            continue
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        memory = f"{row['peak_gib']:.2f}" if row["peak_gib"] else ""
        speeds = "".join(f"{row[key]:>11,.0f}" for key in ("tokens_per_second", "lowest", "highest"))
        lines.append(f"{head:<44}{speeds}{memory:>7}{ratio:>10}")
    return "\n".join(lines)


def add_ratios(rows: list[dict]) -> None:
    """Put beside each peer how many times faster our first row of the same task is."""
    ours = rows[0].get("tokens_per_second")
    for row in rows:
        if ours and "error" not in row and not row["contender"].startswith("slipstream"):
            row["ratio"] = ours / row["tokens_per_second"]


def machine() -> dict:
    """What it ran on, with versions."""
    versions = {}
    for package in ("mlx", "mlx-lm", "torch"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    info = mx.device_info()
    name = info.get("device_name") or info.get("architecture") or platform.processor()
    return {"device": str(mx.default_device()), "name": name, "cores": os.cpu_count(), **versions}


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="slipstream bench", description="Measure speed and memory on this machine, against PyTorch and mlx-lm."
    )
    add = parser.add_argument
    add(
        "--preset", nargs="+", default=["nano"], metavar="NAME",
        help=f"one or more of {', '.join(PRESETS)} (default: nano)",
    )  # fmt: skip
    add("--batch-size", nargs="+", type=int, metavar="N", help="rows in a training step; default: the preset's")
    add("--context", type=int, metavar="N", help="tokens in a row; default: the preset's")
    add("--tokens", type=int, default=100, metavar="N", help="tokens to generate; 0: none (default: %(default)s)")
    add("--alone", action="store_true", help="leave out PyTorch and mlx-lm")
    add(
        "--seconds",
        type=float,
        default=180,
        metavar="X",
        help="measure for about this long, warm-up not counted (default: %(default)s)",
    )
    add("--report", metavar="FILE.json", help="also write the results here")
    return parser.parse_args(argv)


@command
def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    for flag, values in (("batch-size", args.batch_size or [1]), ("context", [args.context or 1])):
        if min(values) < 1:
            raise SlipstreamError(f"--{flag} must be 1 or more")
    if args.report and not Path(args.report).resolve().parent.is_dir():
        raise SlipstreamError(f"--report {args.report}: that folder is not there: make it first")
    plan, rows = tasks(args), []
    say = (lambda text: print(f"\r{text:<60}", end="", file=sys.stderr)) if sys.stderr.isatty() else lambda _: None
    for number, (names, task) in enumerate(plan):
        share = args.seconds / len(plan)
        say(f"{number + 1} of {len(plan)}")
        found = measure([Contender(name, task) for name in names if installed(name)], share, say)
        add_ratios(found)
        rows += found
    say("")
    about = machine()
    print(", ".join(f"{key} {value}" for key, value in about.items()) + "\n")
    print(table(rows) + "\n")
    result = {"machine": about, "rows": rows}
    if args.report:
        write_json(Path(args.report), result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
