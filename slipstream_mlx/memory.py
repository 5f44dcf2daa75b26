"""Will a training step fit? What cannot is refused before the first step; what then does not, with what would.

On Metal a command that runs out of memory can take the whole process down, so it is worth looking first. The sizes are
rough and measured: see `usual_bytes`. Only what is beyond doubt too large is refused.
"""

import contextlib
import os
from collections.abc import Iterator

import mlx.core as mx

from .activations import on_gpu
from .errors import SlipstreamError
from .losses import CHUNK
from .model import ModelArgs
from .presets import TrainArgs

KEPT_ARRAYS = 22  # of [B, T, C] for each layer, measured on an H200 (docs/results/speed.md)
OUT_OF_MEMORY = ("memory", "allocate")  # a word of it is in each of Metal's, CUDA's and malloc's messages


def device_memory() -> int:
    """Bytes that a model can have here: what the GPU recommends, or all of the machine's. 0 if it is not known."""
    if not on_gpu():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    info = mx.device_info()
    for key in ("max_recommended_working_set_size", "total_memory", "memory_size"):
        if isinstance(info.get(key), int):
            return info[key]
    return 0


def parameters(shape: ModelArgs) -> int:
    """How many numbers a model of this shape has, near enough."""
    return (shape.vocab_size + shape.n_positions) * shape.n_embd + 12 * shape.n_layer * shape.n_embd**2


def least_bytes(args: TrainArgs, shape: ModelArgs) -> int:
    """Less than any training step needs: weights, gradients, an optimiser's state, a few of the activations."""
    tokens = args.batch_size // args.accumulate * args.context
    return 12 * parameters(shape) + 10 * (2 if on_gpu() else 4) * tokens * shape.n_embd * shape.n_layer


def usual_bytes(args: TrainArgs, shape: ModelArgs, accumulate: int) -> int:
    """About what a training step needs: 150 bytes for each token, channel and layer, and the logits of a chunk.

    Measured on the CPU in float32: 125 to 149. An H100 in bfloat16, which runs ahead, came to about as much.
    """
    tokens = args.batch_size // accumulate * args.context
    logits = 27 * min(tokens, CHUNK) * shape.vocab_size
    return 16 * parameters(shape) + 150 * tokens * shape.n_embd * shape.n_layer + logits


def kept_bytes(args: TrainArgs, shape: ModelArgs, tokens: int) -> int:
    """What a GPU's step of so many tokens has to hold at once in bfloat16, near enough."""
    layers = 3 + shape.n_layer / 8 if args.recompute else shape.n_layer
    logits = 4 * min(tokens, CHUNK) * shape.padded_vocab_size
    return int(16 * parameters(shape) + KEPT_ARRAYS * 2 * tokens * shape.n_embd * layers + logits)


def limit_memory(args: TrainArgs, shape: ModelArgs, tokens: int) -> None:
    """Hold a GPU's steps to the memory they need, if `lean` says so or there is not twice as much.

    MLX's CPU side runs ahead of the GPU, and what it has asked for counts as used: twice what has to be. Told a limit,
    it waits. On a fast GPU waiting costs speed (docs/results/speed.md), so it does only where it must.
    """
    kept, there = kept_bytes(args, shape, tokens), device_memory()
    if args.lean or args.recompute or 0 < there < 2 * kept:
        mx.set_memory_limit(kept)


def advice(args: TrainArgs, shape: ModelArgs) -> str:
    """The flags with which the step would fit."""
    room = 0.8 * (device_memory() or mx.get_peak_memory())
    for parts in range(args.accumulate + 1, args.batch_size + 1):
        if args.batch_size % parts == 0 and usual_bytes(args, shape, parts) < room:
            smaller = args.batch_size // parts
            return f"--accumulate {parts} gives the same result in {parts} parts; or take --batch-size {smaller}"
    context = args.context
    while context > 1 and usual_bytes(args, shape, args.batch_size) * context / args.context > room:
        context //= 2
    return f"even one row is too much: try --batch-size 1 --context {context}, or a smaller --preset"


def check_memory(args: TrainArgs, shape: ModelArgs) -> None:
    """Raise SlipstreamError if a training step cannot fit, whatever we do."""
    there, least = device_memory(), least_bytes(args, shape)
    if there and least > there:
        raise SlipstreamError(
            f"--batch-size {args.batch_size} with --context {args.context} takes more than {least / 2**30:,.1f} GiB "
            f"and this {'GPU' if on_gpu() else 'machine'} has {there / 2**30:,.1f}: {advice(args, shape)}"
        )


@contextlib.contextmanager
def explain_out_of_memory(args: TrainArgs, shape: ModelArgs) -> Iterator[None]:
    """Turn MLX's out-of-memory error into what to do about it."""
    try:
        yield
    except RuntimeError as error:
        if not any(word in str(error).lower() for word in OUT_OF_MEMORY):
            raise
        raise SlipstreamError(
            f"out of memory with --batch-size {args.batch_size} --context {args.context} "
            f"--accumulate {args.accumulate}: {advice(args, shape)}. What was saved before is kept"
        ) from None
