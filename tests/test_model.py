import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx_lm.models import gpt2

from slipstream_mlx import SlipstreamError
from slipstream_mlx.activations import attention, exp, gelu
from slipstream_mlx.model import ModelArgs, SlipstreamLM
from slipstream_mlx.presets import PRESETS

TOKENS = [[3, 1, 4, 1, 5, 9, 2, 6, 299, 0]]


def largest_difference(a, b):
    return float(mx.abs(a - b).max())


def test_parameter_counts():
    counts = {name: SlipstreamLM(preset.model).num_parameters() for name, preset in PRESETS.items()}
    assert counts["slipstream-51m"] == 51_197_440
    # GPT-2 small has biases of 3C + C in each of its 12 attentions; we leave them out
    assert counts["gpt2-124m"] == 124_439_808 - 12 * (3 * 768 + 768)
    assert 780_000 < counts["token-forge"] < 830_000
    assert counts["nano"] < 3_000_000


def test_vocabulary_is_padded_inside_and_nowhere_else(model):
    assert model.wte.weight.shape[0] == 320
    assert model(mx.array(TOKENS)).shape == (1, 10, 300)
    assert PRESETS["slipstream-51m"].model.padded_vocab_size == 50_304


def test_logits_equal_mlx_lm(model, saved):
    import mlx_lm

    other, _ = mlx_lm.load(str(saved))
    assert isinstance(other, gpt2.Model)
    assert largest_difference(model(mx.array(TOKENS)), other(mx.array(TOKENS))) < 1e-4
    ours, theirs = model.make_cache(), other.make_cache() if hasattr(other, "make_cache") else None
    if theirs is None:
        from mlx_lm.models.cache import make_prompt_cache

        theirs = make_prompt_cache(other)
    for token in TOKENS[0]:
        step = mx.array([[token]])
        assert largest_difference(model(step, ours), other(step, theirs)) < 1e-4


def test_logits_equal_transformers(model, saved):
    torch = pytest.importorskip("torch")
    from transformers import GPT2LMHeadModel

    other = GPT2LMHeadModel.from_pretrained(saved).eval()
    with torch.no_grad():
        theirs = other(torch.tensor(TOKENS)).logits.numpy()
    assert np.abs(np.array(model(mx.array(TOKENS))) - theirs).max() < 1e-4


@given(cuts=st.sets(st.integers(1, 9)))
@settings(max_examples=30, deadline=None)
def test_cache_in_any_pieces_equals_no_cache(cuts):
    mx.random.seed(0)
    model = SlipstreamLM(ModelArgs(vocab_size=300, n_positions=32, n_embd=32, n_layer=2, n_head=2))
    model.eval()
    whole = model(mx.array(TOKENS))
    cache, edges = model.make_cache(), [0, *sorted(cuts), 10]
    pieces = [model(mx.array([TOKENS[0][a:b]]), cache) for a, b in zip(edges, edges[1:], strict=False)]
    assert largest_difference(whole, mx.concatenate(pieces, axis=1)) < 1e-4


def test_the_future_is_not_seen(model):
    changed = [[*TOKENS[0][:6], 7, 7, 7, 7]]
    assert largest_difference(model(mx.array(TOKENS))[:, :6], model(mx.array(changed))[:, :6]) < 1e-6


def test_too_many_tokens_are_refused(model):
    with pytest.raises(SlipstreamError, match="context of 32"):
        model(mx.zeros((1, 33), dtype=mx.int32))
    cache = model.make_cache()
    model(mx.zeros((1, 32), dtype=mx.int32), cache)
    with pytest.raises(SlipstreamError, match="33 tokens"):
        model(mx.zeros((1, 1), dtype=mx.int32), cache)


@pytest.mark.parametrize("field,value", [("n_embd", 33), ("n_layer", 0), ("vocab_size", "many"), ("n_head", 2.0)])
def test_shapes_that_do_not_fit_are_refused(field, value):
    good = {"vocab_size": 300, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 2}
    with pytest.raises(SlipstreamError, match=field):
        ModelArgs(**good | {field: value})


def test_dropout_acts_in_training_only():
    mx.random.seed(0)
    model = SlipstreamLM(ModelArgs(vocab_size=300, n_positions=32, n_embd=32, n_layer=2, n_head=2), dropout=0.5)
    tokens = mx.array(TOKENS)
    assert largest_difference(model(tokens), model(tokens)) > 1e-3
    model.eval()
    assert largest_difference(model(tokens), model(tokens)) == 0


def test_gelu_and_its_gradient_equal_mlx():
    x = mx.concatenate([mx.linspace(-60, 60, 5001), mx.array([0.0, -1e-8, 1e-8])])
    assert largest_difference(gelu(x), nn.gelu_approx(x)) < 5e-5  # of values up to 60
    ours = mx.grad(lambda x: gelu(x).sum())(x)
    theirs = mx.grad(lambda x: nn.gelu_approx(x).sum())(x)
    assert largest_difference(ours, theirs) < 5e-5


def test_exp_is_close_everywhere_it_is_used():
    x = np.linspace(-40, 40, 20001).astype(np.float32)
    assert np.abs(np.array(exp(mx.array(x)), dtype=np.float64) / np.exp(x.astype(np.float64)) - 1).max() < 3e-5
    assert float(exp(mx.array(-1e30))) < 1e-17


@pytest.mark.parametrize("T,S", [(7, 7), (3, 7), (1, 7), (1, 1)])
def test_attention_and_its_gradient_equal_mlx(T, S):
    mx.random.seed(1)
    q, k, v = (4 * mx.random.normal((2, 3, length, 8)) for length in (T, S, S))

    def ours(q, k, v):
        return (attention(q, k, v, 0.3) ** 2).sum()

    def theirs(q, k, v):
        mask = "causal" if T > 1 else None
        return (mx.fast.scaled_dot_product_attention(q, k, v, scale=0.3, mask=mask) ** 2).sum()

    for a, b in zip(mx.grad(ours, (0, 1, 2))(q, k, v), mx.grad(theirs, (0, 1, 2))(q, k, v), strict=True):
        assert largest_difference(a, b) < 5e-4 * float(mx.abs(b).max() + 1)
