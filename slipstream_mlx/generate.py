"""Generation: one token after another, and the command that talks to a model.

The model guesses a distribution over the next token; we pick one, append it and ask again. Keys and values of the
tokens already read are kept in a cache, so each step costs one token's work and not the whole text's.
"""

import argparse
import codecs
import contextlib
import sys
from collections.abc import Callable, Iterator

import mlx.core as mx

from .cache import Rows
from .checkpoint import load
from .errors import Parser, SlipstreamError, command
from .model import SlipstreamLM
from .prompts import COMPLETION_TEMPLATES, encode_prompt
from .tokenizer import Tokenizer

MODES = ("completion", "qa")
PENALTY_REACH = 20  # how many tokens back repetition_penalty looks


def generate(model: SlipstreamLM, tokenizer: Tokenizer, prompt: str, **settings) -> str:
    """The whole of what `stream_generate` yields, as one string. An answer in qa mode is stripped of spaces."""
    text = "".join(stream_generate(model, tokenizer, prompt, **settings))
    return text.strip() if settings.get("mode") == "qa" else text


def stream_generate(
    model: SlipstreamLM,
    tokenizer: Tokenizer,
    prompt: str,
    mode: str = "completion",
    max_tokens: int = 200,
    temperature: float | None = None,
    top_p: float = 1.0,
    top_k: int = 0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    seed: int | None = None,
    sure: float = 0.0,
) -> Iterator[str]:
    """Yield a piece of text for each token generated. The prompt is not repeated.

    A character is never split: the piece of a token that only begins one is "", as is that of the end token.

    Args:
        prompt: the text to go on from, or in qa mode the question alone. Longer ones than the context keep their end.
        mode: "completion" goes on with the text; "qa" asks and stops where the answer ends.
        max_tokens: how many tokens at most.
        temperature: 0 takes the likeliest token each time; 1 samples as the model guesses; above 1 is wilder.
            None means 0.8 for completion and 0 for qa.
        top_p: sample from the likeliest tokens that together hold this much probability (Holtzman et al., 2019).
        top_k: sample from this many of the likeliest; 0 means all.
        min_p: leave out tokens less likely than this share of the likeliest one's probability.
        repetition_penalty: above 1 makes tokens of the last 20 less likely (Keskar et al., 2019).
        seed: same seed, same text, on the same machine. None leaves the random state as it is.
        sure: in qa mode, say "I don't know." rather than an answer that the model gives less than this probability.
            The likeliest answer is then made whole before any of it is shown.
    Raises:
        SlipstreamError: a setting is out of range, or the tokenizer does not know a character of the prompt.
    """
    check_settings(mode, max_tokens, temperature, top_p, top_k, min_p, repetition_penalty)
    if not 0 <= sure <= 1:
        raise SlipstreamError(f"sure must be from 0 to 1, not {sure}")
    if mode == "qa" and sure > 0 and not temperature:
        from .batch import generate_batch

        yield generate_batch(model, tokenizer, [prompt], "qa", max_tokens)[0].said(sure)
        return
    if temperature is None:
        temperature = 0.8 if mode == "completion" else 0.0
    ids = encode_prompt(tokenizer, prompt, mode) or [tokenizer.eos_id]  # an empty prompt begins a new text
    if seed is not None:
        if not 0 <= seed < 1 << 63:
            raise SlipstreamError(f"seed must be from 0 to {(1 << 63) - 1}, not {seed}")
        mx.random.seed(seed)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    top_k = top_k if top_k < model.args.vocab_size else 0
    tokens = generate_tokens(model, ids, max_tokens, temperature, top_p, top_k, min_p, repetition_penalty)
    for count, token in enumerate(tokens, 1):
        ended = token == tokenizer.eos_id
        yield decoder.decode(b"" if ended else tokenizer.decode_bytes([token]), final=ended or count == max_tokens)
        if ended:
            return


def generate_tokens(
    model: SlipstreamLM,
    ids: list[int],
    max_tokens: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    top_k: int = 0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
) -> Iterator[int]:
    """Token ids one at a time, the end token included if it is sampled.

    When the context is full, its last half is read again from position 0 and generation goes on: learned positions
    cannot slide.
    """
    from mlx_lm.sample_utils import make_logits_processors, make_sampler  # takes seconds to import

    sampler = make_sampler(temp=temperature, top_p=top_p if top_p < 1 else 0.0, min_p=min_p, top_k=top_k)
    penalties = make_logits_processors(repetition_penalty=repetition_penalty if repetition_penalty != 1 else None)
    tokens, context = list(ids), model.args.n_positions
    recent = mx.array(tokens[-PENALTY_REACH:], dtype=mx.uint32)

    def pick(logits: mx.array) -> mx.array:
        """A token [1] from logits [1, V], all on the device."""
        nonlocal recent
        for penalty in penalties:
            logits = penalty(recent, logits)
        token = sampler(logits if temperature == 0 else logits - mx.logsumexp(logits, axis=-1, keepdims=True))
        recent = mx.concatenate([recent, token])[-PENALTY_REACH:] if penalties else recent
        return token

    window = tokens[-context:]
    while max_tokens > 0:
        count = min(max_tokens, context - len(window) + 1)
        for token in _read_on(model, window, count, pick):
            tokens.append(token)
            yield token
        max_tokens -= count
        window = tokens[-max(context // 2, 1) :]


def _read_on(model: SlipstreamLM, window: list[int], count: int, pick: Callable[[mx.array], mx.array]) -> Iterator[int]:
    """`count` tokens that follow the window. The device is always one token ahead of us and never waits."""
    slots = 32  # a few sizes, each compiled once
    while slots < min(len(window) + count, model.args.n_positions):
        slots *= 2
    rows = Rows(model, [window], min(slots, model.args.n_positions), compiled=True)
    token = pick(rows.logits)
    mx.async_eval(token)
    for left in range(count, 0, -1):
        if left > 1:
            rows.read(token)
            ahead = pick(rows.logits)
            mx.async_eval(ahead)
        yield token.item()
        token = ahead if left > 1 else token


def check_settings(mode, max_tokens, temperature, top_p, top_k, min_p, repetition_penalty) -> None:
    def require(good: bool, name: str, value: object, wanted: str) -> None:
        if not good:
            raise SlipstreamError(f"{name} must be {wanted}, not {value!r}")

    require(mode in MODES, "mode", mode, "completion or qa")
    require(max_tokens >= 0, "max_tokens", max_tokens, "0 or more")
    require(temperature is None or 0 <= temperature <= 100, "temperature", temperature, "0 to 100")
    require(0 < top_p <= 1, "top_p", top_p, "above 0 and at most 1")
    require(top_k >= 0, "top_k", top_k, "0 or more")
    require(0 <= min_p <= 1, "min_p", min_p, "0 to 1")
    require(0 < repetition_penalty <= 100, "repetition_penalty", repetition_penalty, "above 0 and at most 100")


def prompt_overflow(model: SlipstreamLM, tokenizer: Tokenizer, prompt: str, mode: str) -> int:
    """How many of a prompt's tokens do not fit the context and will not be read (0 if all fit)."""
    return max(0, len(encode_prompt(tokenizer, prompt, mode)) - model.args.n_positions)


# The command ---------------------------------------------------------------------------------------------------

HELP = """Type something and press Enter. Ctrl-C stops a text, Ctrl-D or /quit leaves.
  /mode completion|qa   go on with your text, or answer your question
  /temp X               temperature; 0 is the likeliest word each time, `/temp auto` is the mode's own
  /sure X               from 0 to 1: rather say "I don't know." than an answer it holds less likely
  /tokens N             how long at most
  /seed N               repeat a text exactly; `/seed off` for a new one each time
  /templates            beginnings to try in completion mode
  /help                 this"""


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="slipstream generate", description="Let a trained model go on with a text or answer a question."
    )
    add = parser.add_argument
    add("--model", default="checkpoints/qa", metavar="DIR", help="checkpoint folder (default: %(default)s)")
    add(
        "--prompt",
        metavar="TEXT",
        help="what to go on from, or the question; without it, an interactive session starts",
    )
    add("--mode", choices=MODES, default="completion", help="go on with the text, or answer (default: %(default)s)")
    add("--max-tokens", type=int, default=200, metavar="N", help="how many tokens at most (default: %(default)s)")
    add("--temperature", type=float, metavar="X", help="0 takes the likeliest token; default 0.8, in qa mode 0")
    add("--top-p", type=float, default=1.0, metavar="X", help="keep the likeliest tokens that hold this probability")
    add("--top-k", type=int, default=0, metavar="N", help="keep this many of the likeliest tokens; 0 keeps all")
    add("--min-p", type=float, default=0.0, metavar="X", help="drop tokens below this share of the likeliest one")
    add("--repetition-penalty", type=float, default=1.0, metavar="X", help="above 1 avoids recent tokens")
    add("--seed", type=int, metavar="N", help="same seed, same text")
    add(
        "--sure", type=float, default=0.0, metavar="X",
        help="in qa mode, admit not to know what it holds less likely than this, 0 to 1 (default: %(default)s)",
    )  # fmt: skip
    return parser.parse_args(argv)


@command
def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    settings = {k: v for k, v in vars(args).items() if k not in ("model", "prompt")}
    model, tokenizer = load(args.model)
    if args.prompt is None:
        interact(model, tokenizer, settings)
        return
    print_streaming(model, tokenizer, args.prompt, settings)


def print_streaming(model: SlipstreamLM, tokenizer: Tokenizer, prompt: str, settings: dict) -> None:
    """Print a generation as it comes; in completion mode after the prompt it goes on from."""
    pieces = stream_generate(model, tokenizer, prompt, **settings)
    overflow = prompt_overflow(model, tokenizer, prompt, settings["mode"])
    if overflow:
        print(
            f"note: the first {overflow} tokens of the prompt do not fit the context and are not read", file=sys.stderr
        )
    if settings["mode"] == "completion":
        print(prompt, end="", flush=True)
    for count, piece in enumerate(pieces):
        piece = piece.lstrip() if settings["mode"] == "qa" and count == 0 else piece
        print(piece, end="", flush=True)
    print()


def interact(model: SlipstreamLM, tokenizer: Tokenizer, settings: dict) -> None:
    """A read-answer loop with line editing and history where the system has readline."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (importing it gives input() arrow keys and history)
    print(f"Slipstream, {model.num_parameters():,} parameters. /help for help.")
    while True:
        try:
            line = input(f"{settings['mode']}> ").strip()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            continue
        try:
            if line in ("/quit", "/exit"):
                return
            if line.startswith("/"):
                print(change_setting(settings, line))
            elif line:
                print_streaming(model, tokenizer, line, settings)
        except KeyboardInterrupt:  # stops the text, not the program
            print(" [stopped]")
        except SlipstreamError as error:
            print(f"error: {error}")


def change_setting(settings: dict, line: str) -> str:
    """Carry out one /command on the settings and say what came of it."""
    name, _, value = line.partition(" ")
    value = value.strip()
    try:
        if name == "/mode" and value in MODES:
            settings["mode"] = value
        elif name == "/temp":
            settings["temperature"] = None if value == "auto" else float(value)
        elif name == "/sure":
            settings["sure"] = float(value)
        elif name == "/tokens":
            settings["max_tokens"] = int(value)
        elif name == "/seed":
            settings["seed"] = None if value == "off" else int(value)
        elif name == "/templates":
            return "\n".join(t.format("NAME") + " …" for t in COMPLETION_TEMPLATES.values())
        elif name == "/help":
            return HELP
        else:
            return "I know /mode completion|qa, /temp X, /sure X, /tokens N, /seed N, /templates, /help and /quit"
    except ValueError:
        return f"{value!r} is not a number"
    return "ok"


if __name__ == "__main__":
    main()
