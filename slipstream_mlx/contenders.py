"""What `bench` measures, each thing in a process of its own.

A contender is a function of settings that builds what it needs and returns two more: one that does its work `count`
times and says how long that took, and one that says how much memory it ever held and gives back what it can. In one
process the frameworks would share threads, caches and memory, and none could be measured.
"""

import importlib.util
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import mlx.core as mx
import numpy as np

from . import checkpoint
from .activations import on_gpu
from .batch import generate_batch
from .generate import generate_tokens
from .model import ModelArgs, SlipstreamLM
from .optimizer import Optimizer
from .presets import TrainArgs, get_preset
from .step import compute_dtype, make_step
from .tokenizer import CharTokenizer, GPT2Tokenizer, Tokenizer

PROMPT = "The 1988 Formula One season was"
AT_ONCE = 64  # prompts in the batched row

Run = Callable[[int], float]  # how many times -> seconds
Peak = Callable[[], float]  # -> GiB, 0 where it is not known


@dataclass(frozen=True)
class Task:
    """What is to be measured: training on batches of batch_size x context, or generating `tokens` tokens."""

    preset: str
    batch_size: int = 0
    context: int = 0
    tokens: int = 0

    @property
    def shape(self) -> ModelArgs:
        return get_preset(self.preset).model

    @property
    def train_args(self) -> TrainArgs:
        preset = get_preset(self.preset).pretrain
        return replace(preset, batch_size=self.batch_size, context=self.context, accumulate=1, dropout=0.0)


def _peak() -> float:
    if on_gpu():
        mx.clear_cache()  # leave the room to the others; a CPU has enough, and would pay a page fault for every 4 KiB
    return mx.get_peak_memory() / 2**30


def slipstream_training(task: Task, **settings) -> tuple[Run, Peak]:
    """Our step, whole: the batch handed over, forward, backward, clipping, optimiser."""
    shape, args = task.shape, replace(task.train_args, **settings)
    mx.random.seed(0)
    model = SlipstreamLM(shape)
    optimizer = Optimizer(model.trainable_parameters(), args, compute_dtype())
    step = make_step(model, optimizer, args)
    tokens = np.random.default_rng(0).integers(0, shape.vocab_size, (args.batch_size, args.context + 1))
    weights = np.full((args.batch_size, args.context), 1 / (args.batch_size * args.context), np.float32)
    batch = (tokens[:, :-1], tokens[:, 1:], weights)

    def run(count: int) -> float:
        began, losses = time.perf_counter(), []
        for number in range(count):
            losses.append(step(number, [batch]))
            if len(losses) > 1:  # as in the training loop: one step behind the device
                mx.eval(losses[-2])
        mx.eval(losses[-1], model.parameters(), optimizer.state)
        return time.perf_counter() - began

    return run, _peak


def torch_training(task: Task, compiled: bool) -> tuple[Run, Peak]:
    """The same in PyTorch."""
    from . import bench_torch

    return bench_torch.training(task.shape, replace(task.train_args, muon_lr=0.0), compiled)


def _model_and_tokenizer(task: Task) -> tuple[SlipstreamLM, Tokenizer]:
    """Random weights: speed does not depend on what they say."""
    mx.random.seed(0)
    model = SlipstreamLM(task.shape)
    model.eval()
    mx.eval(model.parameters())
    if get_preset(task.preset).tokenizer == "char":
        letters = dict.fromkeys(
            [*PROMPT, *"Question:\nAnswer ", *map(chr, range(0x100, 0x100 + task.shape.vocab_size))]
        )
        return model, CharTokenizer(list(letters)[: task.shape.vocab_size - 1])
    return model, GPT2Tokenizer.trimmed([PROMPT], task.shape.vocab_size)


def slipstream_decoding(task: Task) -> tuple[Run, Peak]:
    """Greedy decoding of one text."""
    model, tokenizer = _model_and_tokenizer(task)
    ids = tokenizer.encode(PROMPT)

    def run(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            assert len(list(generate_tokens(model, ids, task.tokens))) == task.tokens
        return time.perf_counter() - began

    return run, _peak


def mlx_lm_decoding(task: Task) -> tuple[Run, Peak]:
    """mlx-lm's on the same weights."""
    import mlx_lm
    from mlx_lm.generate import generate_step

    model, tokenizer = _model_and_tokenizer(task)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save_description(Path(folder), task.shape, tokenizer)
        checkpoint.save_weights(Path(folder), model, 0, 0.0)
        peer, _ = mlx_lm.load(folder)
        mx.eval(peer.parameters())
    ids = mx.array(tokenizer.encode(PROMPT))

    def run(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            assert len(list(generate_step(ids, peer, max_tokens=task.tokens))) == task.tokens
        return time.perf_counter() - began

    return run, _peak


def slipstream_answering(task: Task) -> tuple[Run, Peak]:
    """AT_ONCE prompts of different lengths side by side, as an exam is answered. Tokens of all of them count."""
    model, tokenizer = _model_and_tokenizer(task)
    words = PROMPT.split()
    prompts = [" ".join(words[: 1 + i % len(words)]) for i in range(AT_ONCE)]
    count_tokens = task.tokens

    def run(count: int) -> float:
        began, made = time.perf_counter(), 0
        for _ in range(count):
            made += sum(
                len(answer.tokens) for answer in generate_batch(model, tokenizer, prompts, "completion", count_tokens)
            )
        seconds = time.perf_counter() - began
        return seconds * count * AT_ONCE * count_tokens / made  # a random model hardly ever ends a text by itself

    return run, _peak


CONTENDERS: dict[str, Callable[[Task], tuple[Run, Peak]]] = {
    "slipstream": slipstream_training,
    "slipstream, lean": lambda task: slipstream_training(task, lean=True),
    "slipstream, AdamW": lambda task: slipstream_training(task, muon_lr=0.0),
    "PyTorch": lambda task: torch_training(task, compiled=False),
    "PyTorch, compiled": lambda task: torch_training(task, compiled=True),
    "slipstream, decoding": slipstream_decoding,
    "mlx-lm, decoding": mlx_lm_decoding,
    f"slipstream, {AT_ONCE} at once": slipstream_answering,
}
TRAINING = [name for name in CONTENDERS if "," not in name or name.endswith(("lean", "AdamW", "compiled"))]
GENERATION = [name for name in CONTENDERS if name not in TRAINING]


def installed(name: str) -> bool:
    """Whether what a contender needs is there. `--lean` is for GPUs."""
    if name.endswith("lean"):
        return on_gpu()
    return not name.startswith("PyTorch") or importlib.util.find_spec("torch") is not None


def serve(name: str, task: Task, pipe: Connection) -> None:
    """A contender's process: build, then run as often as the other end of the pipe asks, and answer.

    Answers are {"seconds", "peak_gib"} or {"error": one line}. The end of the pipe ends the process.
    """
    run = None
    while True:
        try:
            count = pipe.recv()
        except EOFError:
            return
        try:
            if run is None:
                run, peak = CONTENDERS[name](task)
            pipe.send({"seconds": run(count), "peak_gib": peak()})
        except Exception as error:  # out of memory, or a compiler that is not there: the others can still be measured
            lines = str(error).strip().splitlines() or traceback.format_exc().splitlines()[-1:]
            pipe.send({"error": f"{type(error).__name__}: {lines[0][:160]}"})
            return
