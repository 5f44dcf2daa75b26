"""The endpoints for programs. From Python:

    from gradio_client import Client
    demo = Client("http://127.0.0.1:7860")
    demo.predict("Who won the world championship in 1988?", mode="qa", api_name="/generate")["text"]

`demo.view_api()` lists them all; demo/README.md has an example of each. A request that cannot be carried out raises
gradio_client's AppError with a sentence that says why.
"""

from collections.abc import Iterator

import gradio as gr

from .checkpoints import COMPLETION, QA
from .compare import Side, stream_sides
from .engine import Engine, Sampling, check_prompt, owner_of
from .look_inside import look
from .markup import esc, lead
from .messages import one_line

EXAMPLE = """from gradio_client import Client

demo = Client("http://127.0.0.1:7860")               # this page's address
demo.view_api()                                      # every endpoint with its parameters
demo.predict("Monza is a Formula One circuit in", api_name="/generate")["text"]
demo.predict("Who won in 1988?", mode="qa", seed=7, api_name="/generate")["text"]
demo.predict("Who won in 1988?", api_name="/compare")           # both sides
demo.predict("Monza is", k=5, api_name="/next_tokens")          # the likeliest next tokens
demo.predict("Monza is", max_tokens=8, api_name="/look_inside") # each token's probability
for text in demo.submit("Monza is", api_name="/stream"):        # the text while it grows
    print(text)"""
HELP = (
    '<div class="api">'
    + lead("With Python and gradio_client; other languages can post to the same endpoints.")
    + (f"<pre tabindex='0'>{esc(EXAMPLE)}</pre></div>")
)


def _refuse(error: Exception) -> gr.Error:
    return gr.Error(one_line(error), print_exception=False)


def build(engine: Engine) -> None:
    """Declare the endpoints; call it inside the gr.Blocks."""
    checkpoints = engine.checkpoints

    def chosen(name: str, mode: str) -> str:
        return name or checkpoints.default(mode) or ""

    def list_checkpoints() -> list[dict]:
        """Names of the checkpoints that can be asked, and the mode each was trained for ("completion" or "qa")."""
        return [{"name": name, "mode": checkpoints.mode(name)} for name in checkpoints.usable()]

    def generate(
        request: gr.Request, prompt: str, mode: str = COMPLETION, checkpoint: str = "", max_tokens: int = 120,
        temperature: float = -1.0, top_p: float = 1.0, top_k: int = 0, min_p: float = 0.0,
        repetition_penalty: float = 1.0, seed: int = 1950,
    ) -> dict:  # fmt: skip
        """Go on with `prompt` (mode "completion") or answer it (mode "qa"); same seed, same text.

        `checkpoint` "" is the mode's own; `temperature` below 0 is the mode's own, 0.8 or 0. Returns {"text",
        "tokens", "first_token_ms", "tokens_per_second", "note", "checkpoint"}.
        """
        try:
            sampling = make(temperature, top_p, top_k, min_p, repetition_penalty, max_tokens, seed)
            side = Side(chosen(checkpoint, mode), mode, check_prompt(prompt))
            for _ in stream_sides(engine, [side], sampling, owner_of(request)):
                pass
            return _result(side)
        except Exception as error:
            raise _refuse(error) from None

    def stream(
        request: gr.Request, prompt: str, mode: str = COMPLETION, checkpoint: str = "", max_tokens: int = 120,
        temperature: float = -1.0, top_p: float = 1.0, top_k: int = 0, min_p: float = 0.0,
        repetition_penalty: float = 1.0, seed: int = 1950,
    ) -> Iterator[str]:  # fmt: skip
        """As /generate, but gives the text so far again and again while it grows. Iterate over `client.submit(...)`."""
        try:
            sampling = make(temperature, top_p, top_k, min_p, repetition_penalty, max_tokens, seed)
            side = Side(chosen(checkpoint, mode), mode, check_prompt(prompt))
            for _ in stream_sides(engine, [side], sampling, owner_of(request)):
                yield side.text
            _result(side)
        except Exception as error:
            raise _refuse(error) from None

    def compare(
        request: gr.Request, prompt: str, left: str = "", right: str = "", max_tokens: int = 120, seed: int = 1950
    ) -> dict:
        """One prompt to two checkpoints, each in the mode it was trained for: {"left", "right"}, each as /generate."""
        try:
            sampling, text = Sampling(max_tokens=max_tokens, seed=seed), check_prompt(prompt)
            names = [chosen(left, COMPLETION), chosen(right, QA)]
            sides = [Side(name, checkpoints.mode(name), text) for name in names]
            for _ in stream_sides(engine, sides, sampling, owner_of(request)):
                pass
            return {"left": _result(sides[0]), "right": _result(sides[1])}
        except Exception as error:
            raise _refuse(error) from None

    def look_inside(
        request: gr.Request, prompt: str, mode: str = COMPLETION, checkpoint: str = "", max_tokens: int = 24,
        temperature: float = -1.0, seed: int = 1950,
    ) -> list[dict]:  # fmt: skip
        """Every token of the prompt and of what follows: {"text", "probability", "rank", "entropy_bits", "guesses",
        "generated"}; `guesses` are [text, probability] pairs of what else the model thought of at that place."""
        try:
            sampling = make(temperature, 1.0, 0, 0.0, 1.0, max_tokens, seed)
            found = look(engine, chosen(checkpoint, mode), mode, prompt, sampling, owner_of(request))
        except Exception as error:
            raise _refuse(error) from None
        return [
            {"text": v.text, "probability": v.probability, "rank": v.rank, "entropy_bits": v.entropy,
             "guesses": [list(guess) for guess in v.guesses], "generated": i >= found["prompt_length"]}
            for i, v in enumerate(found["views"])
        ]  # fmt: skip

    def next_tokens(
        request: gr.Request, prompt: str, mode: str = COMPLETION, checkpoint: str = "", k: int = 12
    ) -> list[dict]:
        """The `k` (1 to 100) likeliest tokens after `prompt`: {"text", "probability"}, best first."""

        def start():
            from slipstream_mlx import inspection

            model, tokenizer = checkpoints.load(chosen(checkpoint, mode))
            ids = inspection.prompt_ids(model, tokenizer, text, mode, room=0)
            yield inspection.next_tokens(model, tokenizer, ids, min(max(int(k), 1), 100))

        try:
            text = check_prompt(prompt)
            guesses = engine.last(start, owner_of(request))
        except Exception as error:
            raise _refuse(error) from None
        return [{"text": text, "probability": p} for text, p in guesses]

    def stop(request: gr.Request) -> int:
        """Stop everything that this client has under way; returns how many generations that were."""
        return engine.worker.stop(owner_of(request))

    shared = {"concurrency_limit": 16, "concurrency_id": "generate"}
    gr.api(list_checkpoints, api_name="checkpoints", queue=False)
    gr.api(generate, api_name="generate", **shared)
    gr.api(stream, api_name="stream", **shared)
    gr.api(compare, api_name="compare", **shared)
    gr.api(look_inside, api_name="look_inside", **shared)
    gr.api(next_tokens, api_name="next_tokens", **shared)
    gr.api(stop, api_name="stop", queue=False)


def make(temperature, top_p, top_k, min_p, repetition_penalty, max_tokens, seed) -> Sampling:
    """Settings from an API call, where a temperature below 0 stands for the mode's own."""
    own = isinstance(temperature, int | float) and temperature < 0
    return Sampling(None if own else temperature, top_p, top_k, min_p, repetition_penalty, max_tokens, seed)


def _result(side: Side) -> dict:
    if side.error is not None:
        raise side.error
    return {
        "text": side.text.strip() if side.mode == QA else side.text,
        "tokens": side.tokens,
        "first_token_ms": round(1000 * (side.first - side.job.asked), 1) if side.first and side.job else None,
        "tokens_per_second": round(side.rate, 1) or None,
        "note": side.note or ("stopped" if side.state == "stopped" else ""),
        "checkpoint": side.name,
    }
