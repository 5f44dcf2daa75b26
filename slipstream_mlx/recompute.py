"""Less memory for more work: a block that remembers its input alone.

The backward pass needs what the forward pass made: some twenty to thirty arrays of [B, T, C] in every block. Keeping
only what goes into a block and working the rest out again when its turn comes (Chen et al., "Training Deep Nets with
Sublinear Memory Cost", 2016) leaves one such array for each block, and the insides of one block at a time.
"""

from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten


def recomputed(block: nn.Module) -> Callable[[mx.array], mx.array]:
    """The block as a function of its input [B, T, C], with the same value and gradients and less kept between them.

    MLX computes lazily and in an order of its own, so the order is said: a block is not worked out again before the
    gradient has come down to it, and the gradient goes no further before the block's own parameters have theirs.
    (`nn.utils.checkpoint` leaves the second to chance, and all blocks' insides may then wait for the optimiser.)
    Dropout must be off: the second time it would draw other masks.
    """
    names, arrays = zip(*tree_flatten(block.trainable_parameters()), strict=True)

    def plain(x: mx.array, *params: mx.array) -> mx.array:
        block.update(tree_unflatten(list(zip(names, params, strict=True))))
        return block(x)

    @mx.custom_function
    def run(x, *params):
        return plain(x, *params)

    @run.vjp
    def backward(primals, cotangent, _output):
        later = mx.depends(list(primals), [cotangent])
        _, (into, *grads) = mx.vjp(plain, later, [cotangent])
        return mx.depends([into], grads)[0], *grads

    return lambda x: run(x, *arrays)
