"""What "look inside" shows is what the model computed."""

import math

import mlx.core as mx
import numpy as np
import pytest

from slipstream_mlx import SlipstreamError, generate
from slipstream_mlx.inspection import (
    attention_maps,
    continue_ids,
    logit_lens,
    next_tokens,
    prompt_ids,
    residual_streams,
    token_text,
    view_tokens,
)

TEXT = "Who won the 1988 race?"


def reference_probs(model, ids):
    return np.array(mx.softmax(model(mx.array([ids]))[0].astype(mx.float32), axis=-1))


def test_probabilities_ranks_and_entropy_are_the_models(model, tokenizer):
    ids = tokenizer.encode(TEXT)
    probs = reference_probs(model, ids)
    views = view_tokens(model, tokenizer, ids, k=4)
    assert [v.id for v in views] == ids and "".join(v.text for v in views) == TEXT
    assert views[0].probability is None and views[0].guesses == ()
    for t, view in enumerate(views[1:]):
        row = probs[t]
        assert view.probability == pytest.approx(row[ids[t + 1]], rel=1e-3)
        assert view.rank == 1 + int((row > row[ids[t + 1]]).sum())
        assert view.entropy == pytest.approx(-(row * np.log2(row)).sum(), rel=1e-3)
        assert [p for _, p in view.guesses] == pytest.approx(sorted(row, reverse=True)[:4], rel=1e-3)


def test_next_tokens_are_the_distribution_after_the_prefix(model, tokenizer):
    ids = tokenizer.encode(TEXT)
    row = reference_probs(model, ids)[-1]
    everything = next_tokens(model, tokenizer, ids, k=10**6)
    assert len(everything) == tokenizer.vocab_size
    assert sum(p for _, p in everything) == pytest.approx(1, rel=1e-3)
    assert everything[0][0] == token_text(tokenizer, int(row.argmax()))


def test_the_last_row_of_the_lens_is_the_models_guess(model, tokenizer):
    ids = tokenizer.encode(TEXT)
    lens = logit_lens(model, tokenizer, ids, k=3)
    assert len(lens) == model.args.n_layer + 1
    guess = next_tokens(model, tokenizer, ids, k=3)
    assert [t for t, _ in lens[-1]] == [t for t, _ in guess]
    assert [p for _, p in lens[-1]] == pytest.approx([p for _, p in guess], rel=1e-3)


def test_the_streams_end_where_the_model_ends(model, tokenizer):
    ids = tokenizer.encode(TEXT)
    last = model.ln_f(residual_streams(model, ids)[-1])
    assert mx.allclose(last, model.hidden_states(mx.array([ids])), atol=1e-5).item()


def test_attention_is_causal_sums_to_one_and_gives_the_layers_output(model, tokenizer):
    ids = tokenizer.encode(TEXT)
    for layer in range(model.args.n_layer):
        maps = attention_maps(model, ids, layer)
        T = len(ids)
        assert maps.shape == (model.args.n_head, T, T)
        assert np.allclose(maps.sum(-1), 1, atol=1e-5)
        assert not np.triu(maps, 1).any()
        block, x = model.h[layer], residual_streams(model, ids)[layer]
        values = mx.split(block.attn.c_attn(block.ln_1(x)), 3, axis=-1)[2]
        v = np.array(values).reshape(1, T, model.args.n_head, -1).transpose(0, 2, 1, 3)[0]
        out = (maps @ v).transpose(1, 0, 2).reshape(1, T, -1)
        expected = block.attn(block.ln_1(x))
        assert np.allclose(np.array(block.attn.c_proj(mx.array(out))), np.array(expected), atol=1e-3)


def test_continue_ids_writes_what_generate_writes(model, tokenizer):
    ids = prompt_ids(model, tokenizer, TEXT, "completion")
    new = list(continue_ids(model, tokenizer, ids, 8, seed=5, temperature=0.8))
    text = generate(model, tokenizer, TEXT, max_tokens=8, seed=5, temperature=0.8)
    assert tokenizer.decode(new) == text


def test_prompts_leave_room_and_empty_ones_begin_a_text(model, tokenizer):
    assert len(prompt_ids(model, tokenizer, "race " * 100, room=10)) == model.args.n_positions - 10
    assert prompt_ids(model, tokenizer, "", "completion") == [tokenizer.eos_id]
    assert token_text(tokenizer, tokenizer.eos_id) == "<|endoftext|>"


def test_what_does_not_fit_is_refused(model, tokenizer):
    for ids in ([], [1] * (model.args.n_positions + 1)):
        with pytest.raises(SlipstreamError, match="tokens"):
            view_tokens(model, tokenizer, ids)
    with pytest.raises(SlipstreamError, match="layer"):
        attention_maps(model, [1], model.args.n_layer)


def test_a_single_token_has_nothing_before_it(model, tokenizer):
    (view,) = view_tokens(model, tokenizer, [5])
    assert view.entropy is None and math.isclose(attention_maps(model, [5], 0)[0, 0, 0], 1)
