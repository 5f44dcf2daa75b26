"""Many prompts answered side by side, and how sure the model was of each answer.

A step of generation reads all the weights to make one token. With 256 prompts in a batch it reads them once for 256.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import mlx.core as mx

from .cache import Rows
from .generate import check_settings
from .model import SlipstreamLM
from .prompts import encode_prompt
from .tokenizer import Tokenizer

BATCH = 256  # prompts side by side
DONT_KNOW = "I don't know."


@dataclass(frozen=True)
class Answer:
    """What the model said and how sure it was of it.

    Attributes:
        text: the answer, in qa mode stripped of spaces.
        tokens: its token ids, without the end token.
        logprobs: the log-probability the model gave to each of them, and last to the end token if the answer `ended`
            and was not cut off at max_tokens. The end token counts: "Senna" is sure only if nothing had to follow.
    """

    text: str
    tokens: list[int]
    logprobs: list[float]
    ended: bool

    @property
    def logprob(self) -> float:
        """Log-probability of the whole answer, end token included."""
        return sum(self.logprobs)

    @property
    def probability(self) -> float:
        """The same as a probability: how likely the model holds just this answer, in just these words."""
        return math.exp(self.logprob)

    def said(self, sure: float) -> str:
        """The text, or that the model does not know, if its probability is below `sure` (0 to 1)."""
        return self.text if self.probability >= sure else DONT_KNOW

    @property
    def mean_logprob(self) -> float:
        """The mean over its tokens, end token included; does not punish long answers as `logprob` does."""
        return self.logprob / max(1, len(self.logprobs))

    @property
    def min_logprob(self) -> float:
        """The least sure of its tokens, end token included."""
        return min(self.logprobs, default=0.0)


def generate_batch(
    model: SlipstreamLM,
    tokenizer: Tokenizer,
    prompts: list[str],
    mode: str = "qa",
    max_tokens: int = 200,
    progress: Callable[[int], None] | None = None,
) -> list[Answer]:
    """Answer many prompts at once, greedily: the same answers as one by one at temperature 0, many times faster.

    Args:
        prompts: any number, of any lengths.
        progress: is told how many answers are done whenever some are.
    Returns:
        One Answer per prompt, in their order.
    Raises:
        SlipstreamError: a setting is out of range, or the tokenizer does not know a character of a prompt.
    """
    check_settings(mode, max_tokens, 0.0, 1.0, 0, 0.0, 1.0)
    context, eos_id = model.args.n_positions, tokenizer.eos_id
    encoded = [encode_prompt(tokenizer, prompt, mode) or [eos_id] for prompt in prompts]
    tokens: list[list[int]] = [[] for _ in prompts]
    logprobs: list[list[float]] = [[] for _ in prompts]
    # What each prompt's next tokens are to be guessed from. Like lengths go together.
    todo = sorted(((i, ids[-context:]) for i, ids in enumerate(encoded)), key=lambda item: len(item[1]))
    while todo and max_tokens:
        now, todo = todo[:BATCH], todo[BATCH:]
        room = context - max(len(window) for _, window in now)
        limits = [min(1 + room, max_tokens - len(tokens[i])) for i, _ in now]
        made = _go_on_greedily(model, [window for _, window in now], limits, eos_id)
        unfinished = []
        for (i, window), (new, sure) in zip(now, made, strict=True):
            tokens[i] += new
            logprobs[i] += sure
            if new[-1] != eos_id and len(tokens[i]) < max_tokens:
                window = window + new
                # a full context is read on from its last half, as in `generate_tokens`
                unfinished.append((i, window if len(window) <= context else window[-max(context // 2, 1) :]))
        todo = unfinished + todo
        if progress:
            progress(len(prompts) - len(todo))

    def answer(tokens: list[int], logprobs: list[float]) -> Answer:
        ended = bool(tokens) and tokens[-1] == eos_id
        tokens = tokens[:-1] if ended else tokens
        text = tokenizer.decode(tokens)
        return Answer(text.strip() if mode == "qa" else text, tokens, logprobs, ended)

    return [answer(*pair) for pair in zip(tokens, logprobs, strict=True)]


def _go_on_greedily(
    model: SlipstreamLM, windows: list[list[int]], limits: list[int], eos_id: int
) -> list[tuple[list[int], list[float]]]:
    """The likeliest next tokens of each window and their log-probabilities, up to its limit or the end token."""

    def likeliest(logits: mx.array) -> tuple[mx.array, mx.array]:
        return mx.argmax(logits, axis=-1), mx.max(logits, axis=-1) - mx.logsumexp(logits, axis=-1)

    room = max(limits)
    made: list[tuple[list[int], list[float]]] = [([], []) for _ in windows]
    open_rows = list(range(len(windows)))  # which window each row of the batch goes on from
    rows = Rows(model, windows, slots=max(map(len, windows)) + room - 1)
    token, logprob = likeliest(rows.logits)
    for step in range(room):
        if step + 1 < room:  # the device reads these tokens while we look at them
            rows.read(token)
            ahead = likeliest(rows.logits)
            mx.async_eval(ahead)
        going = []
        for place, (i, t, lp) in enumerate(zip(open_rows, token.tolist(), logprob.tolist(), strict=True)):
            tokens, logprobs = made[i]
            if len(tokens) < limits[i] and eos_id not in tokens[-1:]:
                tokens.append(t)
                logprobs.append(lp)
                if t != eos_id and len(tokens) < limits[i]:
                    going.append(place)
        if not going or step + 1 == room:
            break
        token, logprob = ahead
        if len(going) <= len(open_rows) // 2:  # half the rows have nothing more to say: read on without them
            rows.keep(going)
            token, logprob = token[mx.array(going)], logprob[mx.array(going)]
            open_rows = [open_rows[place] for place in going]
    return made
