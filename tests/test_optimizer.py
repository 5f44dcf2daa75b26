"""Our grouped optimiser against MLX's own Muon and AdamW, one parameter at a time."""

import dataclasses

import mlx.core as mx
import mlx.optimizers as optim
import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_map

from slipstream_mlx.model import ModelArgs, SlipstreamLM
from slipstream_mlx.optimizer import Optimizer, orthogonalize
from slipstream_mlx.presets import TrainArgs

SHAPE = ModelArgs(vocab_size=60, n_positions=16, n_embd=16, n_layer=3, n_head=2)
ARGS = TrainArgs(lr=3e-3, muon_lr=0.02, weight_decay=0.3, grad_clip=1.0)


def gradients(parameters, seed):
    mx.random.seed(seed)
    return tree_map(lambda p: mx.random.normal(p.shape), parameters)


def mlx_optimizers(args):
    adamw = {"betas": [args.beta1, args.beta2], "bias_correction": True}
    return optim.MultiOptimizer(
        [
            optim.Muon(args.muon_lr, weight_decay=0.0),
            optim.AdamW(args.lr, weight_decay=args.weight_decay, **adamw),
            optim.AdamW(args.lr, weight_decay=0.0, **adamw),
        ],
        [lambda name, p: args.muon_lr > 0 and p.ndim == 2 and name.startswith("h."), lambda name, p: p.ndim == 2],
    )


@pytest.mark.parametrize("muon_lr", [0.02, 0.0])
def test_equal_to_mlx_optimizers(muon_lr):
    args = dataclasses.replace(ARGS, muon_lr=muon_lr)
    model = SlipstreamLM(SHAPE)
    ours = theirs = model.trainable_parameters()
    optimizer, reference = Optimizer(ours, args), mlx_optimizers(args)
    reference.init(theirs)
    for k in range(5):
        grads = gradients(ours, k)
        ours = optimizer.update(ours, grads, optimizer.rates(k, args.lr, args.muon_lr))
        clipped, _ = optim.clip_grad_norm(grads, args.grad_clip)
        theirs = reference.apply_gradients(clipped, theirs)
    wanted = dict(tree_flatten(theirs))
    for name, p in tree_flatten(ours):
        assert np.abs(np.array(p) - np.array(wanted[name])).max() < 2e-4, name


def test_every_parameter_is_in_one_group():
    model = SlipstreamLM(SHAPE)
    optimizer = Optimizer(model.trainable_parameters(), ARGS)
    names = [name for group in optimizer.groups.values() for name in group]
    assert sorted(names) == sorted(name for name, _ in tree_flatten(model.trainable_parameters()))
    decayed = {name for group, names in optimizer.groups.items() if optimizer.decays(group) for name in names}
    assert decayed == {"wte.weight", "wpe.weight"}
    muon = {name for group, names in optimizer.groups.items() if optimizer.is_muon(group) for name in names}
    assert muon == {name for name, p in tree_flatten(model.parameters()) if name.startswith("h.") and p.ndim == 2}


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (3, 16, 16)])
def test_orthogonalize_brings_singular_values_near_one(shape):
    mx.random.seed(0)
    values = np.linalg.svd(np.array(orthogonalize(mx.random.normal(shape))), compute_uv=False)
    assert values.min() > 0.5 and values.max() < 1.3
