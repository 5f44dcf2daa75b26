"""Many prompts at once must give what each gives alone."""

import random

import mlx.core as mx
import pytest

from slipstream_mlx import SlipstreamError
from slipstream_mlx.batch import Answer, generate_batch
from slipstream_mlx.generate import generate_tokens
from slipstream_mlx.model import SlipstreamLM
from slipstream_mlx.prompts import encode_prompt

WORDS = ["Who", "won", "in", "1988", "Senna", "the race", "Monza", "é", "?", "a"]


def random_prompts(count, longest, seed):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(0, longest))) for _ in range(count)]


def alone(model, tokenizer, prompt, mode, max_tokens):
    """One by one, and the log-probabilities from a pass without a cache for every token."""
    ids = encode_prompt(tokenizer, prompt, mode) or [tokenizer.eos_id]
    tokens = []
    for token in generate_tokens(model, ids, max_tokens):
        tokens.append(token)
        if token == tokenizer.eos_id:
            break
    return ids, tokens


@pytest.fixture
def wordy(model, tokenizer):
    """A model that ends some answers, at many lengths."""
    mx.random.seed(3)
    model = SlipstreamLM(model.args)
    model.apply(lambda p: p + mx.random.normal(p.shape))
    is_end = mx.arange(model.args.padded_vocab_size)[:, None] == tokenizer.eos_id
    model.wte.weight = mx.where(is_end, 3 * model.wte.weight, model.wte.weight)
    model.eval()
    return model


@pytest.mark.parametrize("batch", [256, 5])
@pytest.mark.parametrize("mode,longest,max_tokens", [("completion", 8, 12), ("completion", 30, 50), ("qa", 3, 40)])
def test_equal_to_one_by_one(wordy, tokenizer, monkeypatch, batch, mode, longest, max_tokens):
    """Also past the context of 32, with prompts longer than it, and with rows that end long before the others."""
    monkeypatch.setattr("slipstream_mlx.batch.BATCH", batch)
    prompts = random_prompts(16, longest, seed=max_tokens)
    answers = generate_batch(wordy, tokenizer, prompts, mode, max_tokens)
    lengths = set()
    for prompt, answer in zip(prompts, answers, strict=True):
        _, tokens = alone(wordy, tokenizer, prompt, mode, max_tokens)
        assert answer.tokens + [tokenizer.eos_id] * answer.ended == tokens
        text = tokenizer.decode(tokens)
        assert answer.text == (text.strip() if mode == "qa" else text)
        lengths.add(len(tokens))
    assert len(lengths) > 2 and max_tokens in lengths, "the test wants answers of many lengths"


def test_the_models_own_confidence(wordy, tokenizer):
    prompts = random_prompts(12, 4, seed=5)
    answers = generate_batch(wordy, tokenizer, prompts, "completion", 12)
    assert any(a.ended for a in answers) and not all(a.ended for a in answers)
    for prompt, answer in zip(prompts, answers, strict=True):
        ids, tokens = alone(wordy, tokenizer, prompt, "completion", 12)
        logits = wordy(mx.array([ids + tokens]))[0, len(ids) - 1 : -1]
        logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
        wanted = mx.take_along_axis(logprobs, mx.array(tokens)[:, None], axis=-1)[:, 0].tolist()
        assert answer.logprobs == pytest.approx(wanted, abs=1e-4)
        assert answer.logprob == pytest.approx(sum(wanted), abs=1e-3)
        assert answer.mean_logprob == pytest.approx(sum(wanted) / len(wanted), abs=1e-4)
        assert answer.min_logprob == pytest.approx(min(wanted), abs=1e-4)


def test_nothing_asked_and_nothing_said(model, tokenizer):
    assert generate_batch(model, tokenizer, []) == []
    assert generate_batch(model, tokenizer, ["Senna"], max_tokens=0) == [Answer("", [], [], False)]
    assert Answer("", [], [], False).logprob == Answer("", [], [], False).min_logprob == 0


def test_progress_is_told(model, tokenizer, monkeypatch):
    monkeypatch.setattr("slipstream_mlx.batch.BATCH", 4)
    seen = []
    generate_batch(model, tokenizer, random_prompts(10, 3, 0), max_tokens=5, progress=seen.append)
    assert seen[-1] == 10 and seen == sorted(seen) and len(seen) >= 3


def test_bad_settings_are_named(model, tokenizer):
    with pytest.raises(SlipstreamError, match="mode"):
        generate_batch(model, tokenizer, ["a"], mode="chat")
    with pytest.raises(SlipstreamError, match="max_tokens"):
        generate_batch(model, tokenizer, ["a"], max_tokens=-1)
