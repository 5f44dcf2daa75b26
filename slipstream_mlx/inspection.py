"""Looking inside a model: how sure it was, what else it thought of, where it looked, how the guess formed.

Nothing here changes what the model computes. Every function takes token ids, reads them in one forward pass through the
model's own blocks and returns plain Python and NumPy, so that the result can leave the thread that made it.

    ids = tokenizer.encode("Ayrton Senna drove for")
    next_tokens(model, tokenizer, ids)        # [(" Mc", 0.31), (" Lot", 0.12), ...]
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from .errors import SlipstreamError
from .generate import generate_tokens
from .model import SlipstreamLM
from .prompts import encode_prompt
from .tokenizer import EOS, Tokenizer

Guess = tuple[str, float]  # a token's text and its probability


@dataclass(frozen=True)
class TokenView:
    """A token of a text and what the model thought just before it.

    `probability` and `rank` (1 is the likeliest) are the token's own, `entropy` (in bits) and `guesses` (the likeliest
    tokens, best first) those of the whole distribution. All are None or empty for the first token: nothing came before.
    """

    id: int
    text: str
    probability: float | None = None
    rank: int | None = None
    entropy: float | None = None
    guesses: tuple[Guess, ...] = ()


def token_text(tokenizer: Tokenizer, token: int) -> str:
    """A token as text; bytes that are only part of a character become U+FFFD, the end token its name."""
    return EOS if token == tokenizer.eos_id else tokenizer.decode([token])


def prompt_ids(
    model: SlipstreamLM, tokenizer: Tokenizer, prompt: str, mode: str = "completion", room: int = 1
) -> list[int]:
    """A prompt's token ids as `generate` would read them, cut from the front to leave `room` in the context."""
    ids = encode_prompt(tokenizer, prompt, mode) or [tokenizer.eos_id]
    return ids[-max(model.args.n_positions - room, 1) :]


def continue_ids(
    model: SlipstreamLM, tokenizer: Tokenizer, ids: list[int], max_tokens: int, seed: int | None = None, **settings
) -> Iterator[int]:
    """The tokens that follow `ids`, one at a time, up to and with the end token.

    `settings` are those of `generate_tokens`: temperature, top_p, top_k, min_p, repetition_penalty.
    """
    if seed is not None:
        mx.random.seed(seed)
    for token in generate_tokens(model, ids, max_tokens, **settings):
        yield token
        if token == tokenizer.eos_id:
            return


def view_tokens(model: SlipstreamLM, tokenizer: Tokenizer, ids: list[int], k: int = 5) -> list[TokenView]:
    """One TokenView for each of `ids`, with the `k` likeliest guesses before each.

    Probabilities are the model's own: temperature, top-p and the like are not applied.
    Raises SlipstreamError if the ids do not fit the context or there are none.
    """
    logprobs = _logprobs(model(_batch(model, ids))[0])
    here = mx.array(ids[1:], dtype=mx.int32)[:, None]
    own = mx.take_along_axis(logprobs[:-1], here, axis=-1)
    ranks = 1 + mx.sum(logprobs[:-1] > own, axis=-1)
    entropy = -mx.sum(mx.exp(logprobs) * logprobs, axis=-1) / math.log(2)
    best, best_logprobs = _top(logprobs, k)
    columns = zip(
        ids[1:], mx.exp(own[:, 0]).tolist(), ranks.tolist(), entropy.tolist(), best, best_logprobs, strict=False
    )
    views = [TokenView(ids[0], token_text(tokenizer, ids[0]))]
    for token, probability, rank, bits, tokens, values in columns:
        guesses = tuple(_guesses(tokenizer, tokens, values))
        views.append(TokenView(token, token_text(tokenizer, token), probability, rank, bits, guesses))
    return views


def next_tokens(model: SlipstreamLM, tokenizer: Tokenizer, ids: list[int], k: int = 12) -> list[Guess]:
    """The `k` likeliest next tokens after `ids`, best first."""
    best, logprobs = _top(_logprobs(model(_batch(model, ids))[0, -1:]), k)
    return _guesses(tokenizer, best[0], logprobs[0])


def attention_maps(model: SlipstreamLM, ids: list[int], layer: int) -> np.ndarray:
    """Where each token looks: the attention weights of all heads of a layer, [n_head, T, T] float32.

    Row t is the token that looks, column s the token looked at; a row sums to 1 and is 0 where s > t.
    Raises SlipstreamError if the model has no such layer (they count from 0).
    """
    if not 0 <= layer < model.args.n_layer:
        raise SlipstreamError(f"layer must be from 0 to {model.args.n_layer - 1}, not {layer}")
    block = model.h[layer]
    x = block.ln_1(residual_streams(model, ids)[layer])
    T = x.shape[1]
    q, k, _ = (
        part.reshape(1, T, model.args.n_head, -1).transpose(0, 2, 1, 3)
        for part in mx.split(block.attn.c_attn(x), 3, axis=-1)
    )
    scores = (q @ k.swapaxes(-1, -2)).astype(mx.float32) * block.attn.scale
    scores = mx.where(mx.arange(T)[None] <= mx.arange(T)[:, None], scores, -math.inf)
    return np.array(mx.softmax(scores, axis=-1)[0])


def logit_lens(model: SlipstreamLM, tokenizer: Tokenizer, ids: list[int], k: int = 5) -> list[list[Guess]]:
    """What the model would guess after `ids` if it stopped thinking early: the `k` likeliest after each layer.

    Entry 0 reads the embedding alone, entry n the residual stream after layer n; the last is the model's real guess.
    Each is passed through the final LayerNorm and the output head (nostalgebraist, "interpreting GPT: the logit lens",
    2020). Early layers were never trained to be read in this way: take them as a hint.
    """
    last = mx.concatenate([x[:, -1] for x in residual_streams(model, ids)])  # [n_layer + 1, C]
    logits = model.wte.as_linear(model.ln_f(last))[:, : model.args.vocab_size]
    best, logprobs = _top(_logprobs(logits), k)
    return [_guesses(tokenizer, ids, row) for ids, row in zip(best, logprobs, strict=True)]


def residual_streams(model: SlipstreamLM, ids: list[int]) -> list[mx.array]:
    """The residual stream before the first block and after each: n_layer + 1 arrays of [1, T, C]."""
    tokens = _batch(model, ids)
    x = model.wte(tokens) + model.wpe(mx.arange(tokens.shape[1]))
    streams = [x]
    for block in model.h:
        x = block(x)
        streams.append(x)
    return streams


def _batch(model: SlipstreamLM, ids: list[int]) -> mx.array:
    if not 1 <= len(ids) <= model.args.n_positions:
        raise SlipstreamError(f"{len(ids)} tokens: a look inside takes 1 to {model.args.n_positions} of them")
    return mx.array([ids], dtype=mx.int32)


def _logprobs(logits: mx.array) -> mx.array:
    logits = logits.astype(mx.float32)
    return logits - mx.logsumexp(logits, axis=-1, keepdims=True)


def _top(logprobs: mx.array, k: int) -> tuple[list, list]:
    """The k likeliest of each row: token ids and log-probabilities, best first."""
    k = max(1, min(k, logprobs.shape[-1]))
    best = mx.argpartition(-logprobs, k - 1, axis=-1)[:, :k]
    values = mx.take_along_axis(logprobs, best, axis=-1)
    order = mx.argsort(-values, axis=-1)
    return (
        mx.take_along_axis(best, order, axis=-1).tolist(),
        mx.take_along_axis(values, order, axis=-1).tolist(),
    )


def _guesses(tokenizer: Tokenizer, ids: list[int], logprobs: list[float]) -> list[Guess]:
    return [(token_text(tokenizer, token), math.exp(value)) for token, value in zip(ids, logprobs, strict=True)]
