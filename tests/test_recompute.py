import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from slipstream_mlx.errors import SlipstreamError
from slipstream_mlx.model import ModelArgs, SlipstreamLM
from slipstream_mlx.optimizer import Optimizer
from slipstream_mlx.presets import TrainArgs
from slipstream_mlx.step import make_step

SHAPE = ModelArgs(vocab_size=64, n_positions=64, n_embd=64, n_layer=8, n_head=2)


def few_steps(recompute: bool) -> tuple[list[float], list, int]:
    """Losses, weights and peak memory of a few steps."""
    args = TrainArgs(steps=4, batch_size=16, context=64, recompute=recompute)
    mx.random.seed(0)
    model = SlipstreamLM(SHAPE)
    optimizer = Optimizer(model.trainable_parameters(), args)
    step = make_step(model, optimizer, args)
    tokens = np.random.default_rng(0).integers(0, 64, (16, 65))
    batch = (tokens[:, :-1], tokens[:, 1:], np.full((16, 64), 1 / (16 * 64), np.float32))
    losses, peak = [], 0
    for number in range(4):
        mx.clear_cache()
        mx.reset_peak_memory()
        loss = step(number, [batch])
        mx.eval(loss, model.parameters(), optimizer.state)
        losses.append(loss.item())
        peak = mx.get_peak_memory()
    return losses, tree_flatten(model.parameters()), peak


def test_it_learns_the_same_with_less_memory():
    losses, weights, peak = few_steps(recompute=True)
    plain_losses, plain_weights, plain_peak = few_steps(recompute=False)
    assert losses == pytest.approx(plain_losses, rel=1e-5)
    for (name, a), (_, b) in zip(weights, plain_weights, strict=True):
        assert mx.allclose(a, b, atol=1e-4), name
    assert peak < 0.5 * plain_peak


def test_dropout_is_refused():
    with pytest.raises(SlipstreamError, match="--dropout 0"):
        TrainArgs(recompute=True, dropout=0.1)
