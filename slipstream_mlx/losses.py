"""Cross-entropy straight from hidden states, a few thousand tokens at a time.

Logits are the largest tensor of a small model by far: batch 64 x context 512 x 50,304 words is 1.6 billion numbers.
Nobody needs them all at once. We walk over the tokens in chunks; each chunk's logits give its loss and, on the spot,
its share of the two gradients (for the hidden states and for the tied embedding), and are then forgotten.
"""

import mlx.core as mx

from .activations import exp, on_gpu

CHUNK = 8192  # tokens; on an H100 larger ones are no faster


def cross_entropy(
    hidden: mx.array, head: mx.array, targets: mx.array, weights: mx.array, chunk: int = CHUNK
) -> mx.array:
    """Weighted sum of -log p(target), differentiable in `hidden` and `head`.

    Args:
        hidden: [..., C], the model's last hidden states, float32 or bfloat16.
        head: [V, C], the output head (the tied embedding), same dtype.
        targets: [...] of integers in [0, V).
        weights: [...], float32: what each token counts. Zeros leave tokens out; make them sum to one for a mean.
        chunk: how many tokens' logits exist at a time.
    Returns:
        A float32 scalar.
    """
    targets, weights = targets.reshape(-1), weights.reshape(-1)

    @mx.custom_function
    def loss_and_grads(hidden: mx.array, head: mx.array):
        loss, d_head, d_hidden = mx.array(0.0), mx.zeros(head.shape, mx.float32), []
        before = [loss]
        for start in range(0, hidden.shape[0], chunk):
            here = slice(start, start + chunk)
            # `depends` makes a chunk wait for all of the one before; or else several would be in memory together.
            h = mx.depends(hidden[here], before)
            chunk_loss, slope, factor = _loss_and_slope(h @ head.T, targets[here], weights[here])
            loss = loss + chunk_loss
            d_hidden.append(slope @ head * factor)
            d_head = d_head + slope.T @ (h * factor)
            before = [loss, d_hidden[-1], d_head]
        return loss, mx.concatenate(d_hidden), d_head.astype(head.dtype)

    @loss_and_grads.vjp
    def loss_vjp(primals, cotangents, outputs):
        scale = cotangents[0]
        return (scale * outputs[1]).astype(primals[0].dtype), (scale * outputs[2]).astype(primals[1].dtype)

    return loss_and_grads(hidden.reshape(-1, hidden.shape[-1]), head)[0]


def evaluate_cross_entropy(
    hidden: mx.array, head: mx.array, targets: mx.array, weights: mx.array, chunk: int = CHUNK
) -> mx.array:
    """The same number without the gradients, for validation."""
    hidden, targets, weights = hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1), weights.reshape(-1)
    loss = mx.array(0.0)
    for start in range(0, hidden.shape[0], chunk):
        here = slice(start, start + chunk)
        h = mx.depends(hidden[here], [loss])
        loss = loss + _loss(h @ head.T, targets[here], weights[here])
    return loss


def _loss(logits: mx.array, targets: mx.array, weights: mx.array) -> mx.array:
    if on_gpu():  # one fused kernel, which adds up in float32
        return mx.sum(weights * mx.fast.cross_entropy(logits, targets))
    return -mx.sum(weights * _softmax(logits, targets)[0])


def _loss_and_slope(
    logits: mx.array, targets: mx.array, weights: mx.array
) -> tuple[mx.array, mx.array, mx.array | float]:
    """The weighted loss of a chunk, and its derivative in the logits: [n, V] in their dtype, times a factor [n, 1].

    The factor is left to the small sides of the matrix products, which saves the CPU a walk over all logits.
    """
    if on_gpu():
        return *mx.value_and_grad(_loss)(logits, targets, weights), 1.0
    log_likelihood, exps, total = _softmax(logits, targets)
    # d loss / d logits is "what was guessed minus what came", weighted
    column, weights = targets[:, None], weights[:, None]
    slope = mx.put_along_axis(exps, column, mx.take_along_axis(exps, column, axis=-1) - total, axis=-1)
    return (
        -mx.sum(weights * log_likelihood[:, None]),
        slope.astype(logits.dtype),
        (weights / total).astype(logits.dtype),
    )


def _softmax(logits: mx.array, targets: mx.array) -> tuple[mx.array, mx.array, mx.array]:
    """Float32 log-likelihood of the targets [n], and exponentials [n, V] with their sums [n, 1]: softmax undivided."""
    logits = logits.astype(mx.float32)
    top = mx.max(logits, axis=-1, keepdims=True)
    exps = exp(logits - top)
    total = mx.sum(exps, axis=-1, keepdims=True)
    at_target = mx.take_along_axis(logits, targets[:, None], axis=-1) - top
    return (at_target - mx.log(total)).squeeze(-1), exps, total
