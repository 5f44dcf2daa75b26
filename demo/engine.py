"""What every tab asks: checked requests in, pieces of text out."""

import contextlib
import math
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from .checkpoints import COMPLETION, QA, Checkpoints
from .worker import END, ERROR, PIECE, Job, Stopped, Worker

MAX_PROMPT_CHARS = 4000
MAX_TOKENS = 400
MAX_SEED = 2**31 - 1
CACHE_LIMIT = 256 << 20  # bytes of freed buffers that MLX may keep


class RequestError(Exception):
    """A request that is refused, with a sentence for the person who made it."""


@dataclass(frozen=True)
class Sampling:
    """How to pick tokens. `temperature` None is the mode's own: 0.8 to complete, 0 to answer."""

    temperature: float | None = None
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int = 120
    seed: int = 1950

    def __post_init__(self):
        if self.temperature is not None:
            _number(self.temperature, "temperature", 0, 5)
        _number(self.top_p, "top_p", 0.01, 1)
        _number(self.min_p, "min_p", 0, 1)
        _number(self.repetition_penalty, "repetition_penalty", 0.5, 5)
        for name, low, high in (("top_k", 0, 100_000), ("max_tokens", 1, MAX_TOKENS), ("seed", 0, MAX_SEED)):
            value = _number(getattr(self, name), name, low, high)
            if value != int(value):
                raise RequestError(f"{name} must be a whole number, not {value}")
            object.__setattr__(self, name, int(value))


def _number(value: object, name: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RequestError(f"{name} must be a number from {low} to {high}")
    if not low <= value <= high:
        raise RequestError(f"{name} must be from {low} to {high}, not {value:g}")
    return value


def check_prompt(prompt: object) -> str:
    """The prompt, if it may be asked. Raises RequestError."""
    text = prompt if isinstance(prompt, str) else ""
    if len(text) > MAX_PROMPT_CHARS:
        raise RequestError(f"That is {len(text):,} characters; a prompt may have {MAX_PROMPT_CHARS:,}. Shorten it.")
    if not text.strip():
        raise RequestError("Type something first: the beginning of a text, or a question.")
    # a lone surrogate is no text; the tokenizer would refuse it
    return text.encode("utf-8", errors="replace").decode("utf-8")


def owner_of(request) -> str:
    """Whose a request is: its Gradio session, or nobody else's."""
    return getattr(request, "session_hash", None) or uuid.uuid4().hex


class Engine:
    """The worker and the checkpoints together. One for each app."""

    def __init__(self, base: str, qa: str):
        self.checkpoints = Checkpoints(base, qa)
        self.worker = Worker()
        self.warm = threading.Event()  # set once the default models are loaded, or have failed to

    def warm_up(self) -> None:
        """Begin to load the two default models and write a token with each, without waiting for them."""

        def load() -> Iterator:
            import mlx.core as mx

            from slipstream_mlx import stream_generate

            mx.set_cache_limit(CACHE_LIMIT)
            loaded = []
            try:
                for name in dict.fromkeys([self.checkpoints.default(COMPLETION), self.checkpoints.default(QA)]):
                    with contextlib.suppress(Exception):  # kept in `problems`, which the page shows
                        if name:
                            loaded.append(self.checkpoints.load(name))
                    yield
            finally:
                self.warm.set()
            for model, tokenizer in loaded:  # what a first token imports and compiles takes seconds: not the reader's
                with contextlib.suppress(Exception):
                    yield from stream_generate(model, tokenizer, "", max_tokens=1)

        self.worker.submit(load, owner="warm-up")

    def stream(
        self, name: str, mode: str, prompt: str, sampling: Sampling, out: queue.SimpleQueue, tag: int, owner: str
    ) -> Job:
        """Queue a generation whose text goes to `out`: first a note ("" for none), then a piece for each token."""
        if mode not in (COMPLETION, QA):
            raise RequestError("mode must be completion or qa")
        prompt = check_prompt(prompt)

        def start() -> Iterator[str]:
            from slipstream_mlx import stream_generate
            from slipstream_mlx.generate import prompt_overflow

            model, tokenizer = self.checkpoints.load(name)
            extra = prompt_overflow(model, tokenizer, prompt, mode)
            yield f"The first {extra} tokens of the prompt do not fit the context and are not read." if extra else ""
            yield from stream_generate(model, tokenizer, prompt, mode=mode, **asdict(sampling))

        return self.worker.submit(start, out, tag, owner)

    def last(self, start: Callable[[], Iterator], owner: str = "") -> object:
        """Step an iterator on the worker thread to its end and return the last thing that it gave."""
        job = self.worker.submit(start, owner=owner)
        result = None
        try:
            while (event := job.out.get()).kind == PIECE:
                result = event.value
        finally:
            job.stop()
        if event.kind == ERROR:
            raise event.value
        if event.kind != END:
            raise Stopped("stopped")
        return result

    def close(self) -> bool:
        return self.worker.close()
