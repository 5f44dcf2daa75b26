"""The optimiser: Muon for the matrices of the blocks, AdamW for everything else.

AdamW (Loshchilov & Hutter, 2019) scales every number's step by its own history. Muon (Jordan, 2024,
https://kellerjordan.github.io/posts/muon/) looks at a matrix as a whole and makes all directions of its step equally
long; ours learns facts several times faster with it (experiment_log.md, 2026-11-22).

Matrices of the same shape are stacked over the layers and all biases and LayerNorms laid end to end, so that a step
of eight layers is a few large operations and not three thousand small ones.
"""

import itertools
import math
from collections.abc import Sequence

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten

from .presets import TrainArgs

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan's coefficients: five rounds bring all singular values near one
ROUNDS = 5
ADAM_EPS = 1e-8


class Optimizer:
    """Updates a model's float32 parameters from gradients of any float type.

    Args:
        parameters: the tree that will be trained; its names and shapes decide the groups.
        args: betas, weight decay, clipping; muon_lr 0 gives the matrices to AdamW.
        dtype: of Muon's matrix products.

    `state` is a tree of arrays, changed in place: all that a resume needs. `groups` maps each
    group's name to its parameters' names.
    """

    def __init__(self, parameters: dict, args: TrainArgs, dtype: mx.Dtype = mx.float32):
        self.args, self.dtype = args, dtype
        flat = dict(tree_flatten(parameters))
        self.groups: dict[str, list[str]] = {}
        for name, p in flat.items():
            # "h.3.attn.c_attn.weight" joins its like of the other layers; what is not in a block is by itself
            group = "vectors" if p.ndim == 1 else name.split(".", 2)[2] if name.startswith("h.") else name
            self.groups.setdefault(group.replace(".", "_"), []).append(name)
        self.shapes = {name: p.shape for name, p in flat.items()}
        self.state: dict = {}
        for group in self.groups:
            zeros = mx.zeros_like(self._gather(group, flat))
            self.state[group] = {"v": zeros} if self.is_muon(group) else {"m": zeros, "v": zeros}

    def is_muon(self, group: str) -> bool:
        """Whether Muon trains the group: matrices inside blocks, if it has a learning rate."""
        return self.args.muon_lr > 0 and group != "vectors" and self.groups[group][0].startswith("h.")

    def decays(self, group: str) -> bool:
        """Weight decay pulls on AdamW's matrices alone: nothing is learnt by heart in a bias or a LayerNorm."""
        return group != "vectors" and not self.is_muon(group)

    def _gather(self, group: str, flat: dict[str, mx.array]) -> mx.array:
        """The group's arrays as one: stacked matrices [n, out, in], a lone matrix [out, in], or vectors end to end."""
        arrays = [flat[name] for name in self.groups[group]]
        if group == "vectors":
            return mx.concatenate(arrays)
        return mx.stack(arrays) if self.groups[group][0].startswith("h.") else arrays[0]

    def _scatter(self, group: str, array: mx.array) -> dict[str, mx.array]:
        """The inverse of `_gather`."""
        names = self.groups[group]
        if group == "vectors":
            ends = [sum(self.shapes[name][0] for name in names[: k + 1]) for k in range(len(names) - 1)]
            return dict(zip(names, mx.split(array, ends), strict=True))
        return {name: array[k] for k, name in enumerate(names)} if names[0].startswith("h.") else {names[0]: array}

    def rates(self, step: int, lr: float, muon_lr: float) -> dict[str, mx.array]:
        """What changes from step to step, as float32 scalars for `update`. The first step is 0.

        Made outside the compiled step: arithmetic on single numbers is not worth kernels of its own.
        """
        beta1, beta2 = self.args.beta1, self.args.beta2
        rates = {
            # Adam's averages start at zero: dividing by these undoes the bias of the first steps
            "lr": lr / (1 - beta1 ** (step + 1)), "correct_v": 1 / (1 - beta2 ** (step + 1)),
            "beta1": beta1, "beta2": beta2,
        }  # fmt: skip
        for group, names in self.groups.items():
            if self.is_muon(group):
                out, into = self.shapes[names[0]]
                rates[f"{group}_lr"] = muon_lr * math.sqrt(max(1, out / into))
            else:
                rates[f"{group}_keep"] = 1 - lr * self.args.weight_decay * self.decays(group)
        return {name: mx.array(rate) for name, rate in rates.items()}

    def update(
        self, parameters: dict, grads: dict, rates: dict[str, mx.array], lanes: Sequence[mx.Stream] = ()
    ) -> dict:
        """The new parameters; `state` moves on.

        Args:
            parameters: tree of float32 arrays; grads: the same tree, of any float type; rates: see there.
            lanes: streams for the groups to take turns on; default: MLX's own.
        """
        flat, flat_grads = dict(tree_flatten(parameters)), dict(tree_flatten(grads))
        gathered = {group: self._gather(group, flat_grads) for group in self.groups}
        scale = mx.array(1.0)
        if self.args.grad_clip > 0:
            squares = [mx.sum(mx.square(g.astype(mx.float32))) for g in gathered.values()]
            scale = mx.minimum(self.args.grad_clip / (mx.sqrt(mx.sum(mx.stack(squares))) + 1e-6), 1.0)
        new: dict[str, mx.array] = {}
        streams = itertools.cycle(lanes or [mx.default_stream(mx.default_device())])
        for (group, g), stream in zip(gathered.items(), streams, strict=False):
            with mx.stream(stream):
                new |= self._scatter(group, self._stepped(group, self._gather(group, flat), g, scale, rates))
        return tree_unflatten(list(new.items()))

    def _stepped(self, group: str, p: mx.array, g: mx.array, scale: mx.array, rates: dict[str, mx.array]) -> mx.array:
        """A group's new parameters from its old ones and its gradient, still to be scaled; its state moves on."""
        state, g = self.state[group], g.astype(mx.float32) * scale
        if self.is_muon(group):
            v = state["v"] = MOMENTUM * state["v"] + (1 - MOMENTUM) * g
            ahead = MOMENTUM * v + (1 - MOMENTUM) * g  # Nesterov's look ahead
            direction = orthogonalize(ahead.astype(self.dtype)).astype(mx.float32)
            p = p - rates[f"{group}_lr"] * direction
        else:
            m = state["m"] = rates["beta1"] * state["m"] + (1 - rates["beta1"]) * g
            v = state["v"] = rates["beta2"] * state["v"] + (1 - rates["beta2"]) * mx.square(g)
            step = rates["lr"] * m / (mx.sqrt(v * rates["correct_v"]) + ADAM_EPS)
            p = p * rates[f"{group}_keep"] - step
        return p


def orthogonalize(x: mx.array) -> mx.array:
    """The nearest matrices with all singular values one, roughly, [..., out, in]: five rounds of Newton-Schulz.

    A polynomial of odd powers acts on singular values alone, so x p(xᵀx) needs nothing but matrix products.
    """
    a, b, c = NEWTON_SCHULZ
    norm = mx.sqrt(mx.sum(mx.square(x.astype(mx.float32)), axis=(-2, -1), keepdims=True))
    x = x / (norm + 1e-7).astype(x.dtype)
    tall = x.shape[-2] > x.shape[-1]
    if x.dtype == mx.float32 and max(x.shape[-2:]) >= 2 * min(x.shape[-2:]):
        factor = _gram_factor(x.swapaxes(-1, -2) @ x if tall else x @ x.swapaxes(-1, -2))
        return x @ factor if tall else factor @ x
    x = x.swapaxes(-1, -2) if tall else x
    for _ in range(ROUNDS):
        gram = x @ x.swapaxes(-1, -2)
        x = mx.addmm(x, mx.addmm(gram, gram, gram, alpha=c, beta=b), x, beta=a)
    return x.swapaxes(-1, -2) if tall else x


def _gram_factor(gram: mx.array) -> mx.array:
    """What all rounds together multiply an oblong matrix by, from the square of its short side, [..., n, n].

    A round turns x into p x and so its square g = x xᵀ into p g p: the long side need not take part. For 1 : 4 that is
    50 n³ instead of 90 n³ operations. Only in float32: from round to round, bfloat16's errors would grow.
    """
    a, b, c = NEWTON_SCHULZ
    one = a * mx.eye(gram.shape[-1])
    factor = step = mx.addmm(one + b * gram, gram, gram, alpha=c)
    for _ in range(ROUNDS - 1):
        gram = step @ gram @ step
        step = mx.addmm(one + b * gram, gram, gram, alpha=c)
        factor = step @ factor
    return factor
