"""Tiny models and data that the tests share. Nothing here needs a network or more than a second."""

import pytest

import slipstream_mlx  # noqa: F401  (puts MKL in place before anything imports mlx)

import mlx.core as mx  # isort: skip

from slipstream_mlx import checkpoint
from slipstream_mlx.model import ModelArgs, SlipstreamLM
from slipstream_mlx.tokenizer import GPT2Tokenizer

TINY = ModelArgs(vocab_size=300, n_positions=32, n_embd=32, n_layer=2, n_head=2)


@pytest.fixture
def tokenizer():
    return GPT2Tokenizer.trimmed(["Who won the 1988 race at Monza?"], TINY.vocab_size)


@pytest.fixture
def model():
    mx.random.seed(3)
    model = SlipstreamLM(TINY)
    # LayerNorms and biases start as ones and zeros, which would hide a mix-up
    model.apply(lambda p: p + 0.2 * mx.random.normal(p.shape))
    model.eval()
    return model


@pytest.fixture
def saved(tmp_path, model, tokenizer):
    """A checkpoint folder of the tiny model."""
    folder = tmp_path / "checkpoint"
    checkpoint.save_description(folder, model.args, tokenizer)
    checkpoint.save_weights(folder, model, step=1, val_loss=1.0)
    checkpoint.save_transformers_twin(folder)
    return folder
