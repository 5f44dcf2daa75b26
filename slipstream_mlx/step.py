"""One step of training: a batch in, its loss out, and the weights a little better.

The loop around it is train.py; what "better" means is losses.py, and how far to go optimizer.py.
"""

import functools
import itertools
import math
from collections.abc import Callable

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map

from . import _blas
from .activations import on_gpu
from .losses import cross_entropy, evaluate_cross_entropy
from .memory import limit_memory
from .model import SlipstreamLM
from .optimizer import Optimizer
from .packing import Batch
from .parallel import Team
from .presets import TrainArgs

CPU_CACHE = 4 << 30  # bytes
CPU_LANES = 2


def schedule(highest: float, args: TrainArgs, step: int) -> float:
    """The learning rate of a step, the first being 0: a straight rise to `highest`, then a cosine down.

    The rise, because early gradients are large and point everywhere. The fall, because large steps find the valley and
    small ones its floor. A cosine, because it lingers at both ends: long enough fast, long enough slow.
    """
    if step < args.warmup_steps:
        return highest * (step + 1) / args.warmup_steps
    lowest = highest * args.min_lr / args.lr if args.lr else 0.0
    progress = min(1.0, (step - args.warmup_steps) / max(1, args.steps - args.warmup_steps))
    return lowest + (highest - lowest) * (1 + math.cos(math.pi * progress)) / 2


def compute_dtype() -> mx.Dtype:
    """bfloat16 on a GPU. float32 on the CPU, where bfloat16 products have no fast library."""
    return mx.bfloat16 if on_gpu() else mx.float32


def make_lanes() -> list[mx.Stream]:
    """Where the parts of a batch are computed side by side: one stream on a GPU, two on a CPU with as many cores.

    MLX's elementwise work keeps one core busy, however many there are; so each half of the batch gets a stream, and
    its matrix products half of the cores. Streams belong to the thread that makes them.
    """
    if on_gpu():
        return [mx.default_stream(mx.default_device())]
    return [mx.new_stream(mx.cpu) for _ in range(_blas.share_cores(CPU_LANES))]


def make_step(
    model: SlipstreamLM, optimizer: Optimizer, args: TrainArgs, workers: Team | None = None
) -> Callable[[int, list[Batch]], mx.array]:
    """The training step: its number and its batch -> its loss. Updates model, optimiser and random state in place.

    Weights and optimiser state stay float32; the forward and backward pass run in `compute_dtype`.
    """
    dtype = compute_dtype()
    workers = workers or Team()
    if on_gpu():
        limit_memory(args, model.args, args.batch_size * args.context // (args.accumulate * workers.size))
    else:  # MLX gives the system back all but 32 MiB after each step, and every page costs a fault again
        mx.set_cache_limit(CPU_CACHE)

    def loss_fn(params, inputs, scored, targets, weights):
        model.update(params)
        hidden = model.hidden_states(inputs, recompute=args.recompute).reshape(-1, model.args.n_embd)[scored]
        return cross_entropy(hidden, model.wte.weight, targets, weights)

    value_and_grad = mx.value_and_grad(loss_fn)
    lanes = make_lanes()

    # All that the step changes must be named as input and output, or compile would bake today's values in.
    state = [model.state, optimizer.state, mx.random.state]

    @functools.partial(mx.compile, inputs=state, outputs=state)
    def part_step(parts, carried, rates):
        params = model.trainable_parameters()
        for arrays, lane in zip(parts, lanes, strict=False):
            with mx.stream(lane):
                found = value_and_grad(tree_map(lambda p: p.astype(dtype), params), *arrays)
                carried = found if carried is None else tree_map(mx.add, found, carried)
        model.update(params)
        if rates is None:  # more parts of this batch are to come
            return carried
        loss, grads = workers.total(carried)
        model.update(optimizer.update(params, grads, rates, lanes))
        return loss, None

    def step(number: int, batch: list[Batch]) -> mx.array:
        rates = optimizer.rates(number, schedule(args.lr, args, number), schedule(args.muon_lr, args, number))
        pieces = [piece for part in workers.share(batch) for piece in cut(part, args.accumulate)]
        carried = None
        for k, piece in enumerate(pieces):
            parts = scored_arrays(cut(piece, len(lanes)))
            carried = part_step(parts, carried, rates if k + 1 == len(pieces) else None)
            mx.async_eval(carried, state)
        assert carried is not None
        return carried[0]

    return step


def cut(batch: Batch, parts: int) -> list[Batch]:
    """A batch in at most so many parts of whole rows, as equal as can be."""
    ends = np.linspace(0, len(batch[0]), min(parts, len(batch[0])) + 1).astype(int)
    return [(batch[0][a:b], batch[1][a:b], batch[2][a:b]) for a, b in itertools.pairwise(ends)]


def scored_arrays(parts: list[Batch]) -> list[tuple[mx.array, mx.array, mx.array, mx.array]]:
    """Batches for the device: inputs [B, T], and of the N scored tokens where they are, targets and weights, each [N].

    Tokens of no weight, most of a batch when only answers are scored, never reach the output head, the dearest product
    of a small model. N is the same for all, in eighths of the largest, because every new shape compiles the step again.
    """
    eighth = max(1, max(weights.size for _, _, weights in parts) // 8)
    most = max(int(np.count_nonzero(weights)) for _, _, weights in parts)
    room = eighth * max(1, -(-most // eighth))
    arrays = []
    for inputs, targets, weights in parts:
        scored = np.flatnonzero(weights)
        padding = np.arange(room) >= len(scored)
        scored = np.pad(scored, (0, room - len(scored)))
        kept = np.where(padding, 0, weights.reshape(-1)[scored])
        arrays.append(
            (
                mx.array(inputs.astype(np.int32)),
                mx.array(scored.astype(np.int32)),
                mx.array(targets.reshape(-1)[scored].astype(np.int32)),
                mx.array(kept.astype(np.float32)),
            )
        )
    return arrays


def evaluate(model: SlipstreamLM, batches: list[Batch], workers: Team | None = None) -> float:
    """Mean cross-entropy in nats over the scored tokens of the batches."""
    weights, workers = model.parameters(), workers or Team()
    model.eval()
    model.update(tree_map(lambda p: p.astype(compute_dtype()), weights))
    total = mx.array(0.0)
    for batch in batches[
        workers.rank :: workers.size
    ]:  # not compiled: a few batches do not pay for the compiler's time
        inputs, scored, targets, counts = scored_arrays([batch])[0]
        hidden = model.hidden_states(inputs).reshape(-1, model.args.n_embd)[scored]
        total += evaluate_cross_entropy(hidden, model.wte.weight[: model.args.vocab_size], targets, counts)
        mx.eval(total)
    model.update(weights)
    model.train()
    return sum(workers.gather(total.item())) / max(sum(float(counts.sum()) for _, _, counts in batches), 1.0)
