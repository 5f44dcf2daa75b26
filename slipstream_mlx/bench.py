"""How fast is it here? Training steps, memory and generation, with mlx-lm's generation on the same weights as a peer.

Runs are interleaved (one of each in turn) and the median is reported, so that a busy moment hits all of them alike.
The last line is one JSON object.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import numpy as np

from . import checkpoint
from .errors import Parser, command
from .generate import generate_tokens
from .model import SlipstreamLM
from .optimizer import Optimizer
from .presets import PRESETS, get_preset
from .tokenizer import CharTokenizer, GPT2Tokenizer, Tokenizer
from .train import compute_dtype, make_step

PROMPT = "The 1988 Formula One season was"


def training_run(name: str) -> Callable[[], float]:
    """A function that makes one training step of a preset on random tokens and returns its tokens/s."""
    preset = get_preset(name)
    args, shape = preset.pretrain, preset.model
    mx.random.seed(0)
    model = SlipstreamLM(shape, dropout=args.dropout)
    optimizer = Optimizer(model.trainable_parameters(), args, compute_dtype())
    step = make_step(model, optimizer, args)
    tokens = np.random.default_rng(0).integers(0, shape.vocab_size, (args.batch_size, args.context + 1))
    weights = np.full((args.batch_size, args.context), 1 / (args.batch_size * args.context), np.float32)

    def run() -> float:
        began = time.perf_counter()
        mx.eval(step(0, [(tokens[:, :-1], tokens[:, 1:], weights)]), model.parameters(), optimizer.state)
        return weights.size / (time.perf_counter() - began)

    return run


def generation_runs(name: str, count: int) -> dict[str, Callable[[], float]]:
    """Functions that generate `count` tokens greedily, ours and mlx-lm's on the same weights, and return tokens/s."""
    import mlx_lm
    from mlx_lm.generate import generate_step

    shape = get_preset(name).model
    mx.random.seed(0)
    model = SlipstreamLM(shape)
    model.eval()
    if get_preset(name).tokenizer == "char":
        letters = dict.fromkeys([*PROMPT, *map(chr, range(0x100, 0x100 + shape.vocab_size))])
        tokenizer: Tokenizer = CharTokenizer(list(letters)[: shape.vocab_size - 1])
    else:
        tokenizer = GPT2Tokenizer.trimmed([PROMPT], shape.vocab_size)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save_description(Path(folder), shape, tokenizer)
        checkpoint.save_weights(Path(folder), model, 0, 0.0)
        peer, _ = mlx_lm.load(folder)
        mx.eval(peer.parameters())
    ids = tokenizer.encode(PROMPT)

    def ours() -> float:
        began = time.perf_counter()
        made = len(list(generate_tokens(model, ids, count)))
        return made / (time.perf_counter() - began)

    def theirs() -> float:
        began = time.perf_counter()
        made = len(list(generate_step(mx.array(ids), peer, max_tokens=count)))
        return made / (time.perf_counter() - began)

    return {"slipstream": ours, "mlx-lm": theirs}


def interleave(runs: dict[str, Callable[[], float]], repeats: int) -> dict[str, dict]:
    """Each run once to warm up, then all of them in turn; median, lowest and highest."""
    for run in runs.values():
        run()
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            samples[name].append(run())
    return {
        name: {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}
        for name, values in samples.items()
    }


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="slipstream bench", description="Measure speed and memory on this machine.")
    add = parser.add_argument
    add("--preset", default="nano", metavar="NAME", help=f"{', '.join(PRESETS)} (default: %(default)s)")
    add("--repeats", type=int, default=9, metavar="N", help="measurements of each (default: %(default)s)")
    add("--tokens", type=int, default=100, metavar="N", help="tokens to generate in each (default: %(default)s)")
    return parser.parse_args(argv)


@command
def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    mx.reset_peak_memory()
    training = interleave({"train": training_run(args.preset)}, args.repeats)["train"]
    memory = mx.get_peak_memory() / 2**30
    context = get_preset(args.preset).model.n_positions
    generation = interleave(generation_runs(args.preset, min(args.tokens, context - 16)), args.repeats)
    rows = [("training step", training), *((f"greedy decoding, {name}", speed) for name, speed in generation.items())]
    print(f"{args.preset} on {mx.default_device()}, MLX {mx.__version__}, median of {args.repeats}\n")
    print(f"{'':<30}{'tokens/s':>12}{'lowest':>12}{'highest':>12}")
    for name, speed in rows:
        print(f"{name:<30}{speed['median']:>12,.0f}{speed['lowest']:>12,.0f}{speed['highest']:>12,.0f}")
    print(f"peak memory of training: {memory:.2f} GiB\n")
    result = {"preset": args.preset, "device": str(mx.default_device()), "mlx": mx.__version__, "repeats": args.repeats}
    ratio = generation["slipstream"]["median"] / generation["mlx-lm"]["median"]
    print(
        json.dumps(
            result | {"training": training, "peak_memory_gib": memory, "generation": generation, "decode_ratio": ratio}
        )
    )


if __name__ == "__main__":
    main()
