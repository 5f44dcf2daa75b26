"""Exponentials and what is made of them: GELU and softmax, each with its own backward pass.

On a GPU these are what MLX offers. On the CPU, MLX's `exp` is scalar code (12 ns an element, measured on two x86-64
cores) and took two thirds of a small model's training step; a polynomial that the compiler can vectorise takes 1.5.
"""

import math

import mlx.core as mx

# e^z on [-0.625, 0.625] by least squares on the relative error; e^x is then (e^(x/64))^64, six squarings. Relative
# error under 3e-5 from -40 to 40, under 1e-5 from -8 to 8. Beyond, e^-40 = 4e-18 stands in for nothing.
_EXP = (
    1.0,
    1.0000011308625516,
    0.49999714193703043,
    0.1666417566420642,
    0.041684359633381456,
    0.008466147873113448,
    0.001369630485281174,
)
_LIMIT, _SQUARINGS = 40.0, 6

GELU_SLOPE = 2 * math.sqrt(2 / math.pi)
GELU_CUBE = 0.044715


def on_gpu() -> bool:
    """Whether MLX computes on Metal or CUDA by default."""
    return mx.default_device().type == mx.DeviceType.gpu


def exp(x: mx.array) -> mx.array:
    """e^x, any shape; on the CPU x is held between -40 and 40, and it is fast inside `mx.compile`."""
    if on_gpu():
        return mx.exp(x)
    z = mx.clip(x, -_LIMIT, _LIMIT) * (1 / 2**_SQUARINGS)
    result = z * _EXP[-1] + _EXP[-2]
    for coefficient in _EXP[-3::-1]:
        result = result * z + coefficient
    for _ in range(_SQUARINGS):
        result = result * result
    return result


def sigmoid(x: mx.array) -> mx.array:
    """1 / (1 + e^-x), any shape."""
    return mx.sigmoid(x) if on_gpu() else 1 / (1 + exp(-x))


@mx.custom_function
def gelu(x: mx.array) -> mx.array:
    """GELU in its tanh form, as GPT-2 has it: equal to `nn.gelu_approx`, any shape (Hendrycks & Gimpel, 2016).

    0.5 x (1 + tanh(u)) is x sigmoid(2u), which needs one exponential; and its derivative needs x alone, so one
    tensor a layer is kept for the backward pass where automatic differentiation would keep seven.
    """
    return x * sigmoid(GELU_SLOPE * (x + GELU_CUBE * x * x * x))


@gelu.vjp
def _gelu_vjp(x: mx.array, cotangent: mx.array, _: mx.array) -> mx.array:
    gate = sigmoid(GELU_SLOPE * (x + GELU_CUBE * x * x * x))
    slope = GELU_SLOPE * (1 + 3 * GELU_CUBE * x * x)
    return cotangent * gate * (1 + x * (1 - gate) * slope)


def attention(q: mx.array, k: mx.array, v: mx.array, scale: float, visible: mx.array | None = None) -> mx.array:
    """Causal scaled dot-product attention: q [B, H, T, D], k and v [B, H, S, D] with S >= T -> [B, H, T, D].

    The last query stands beside the last key; each sees the keys up to its own. One query alone sees them all.
    `visible`, a mask of booleans that broadcasts to [B, H, T, S], says otherwise.
    """
    T, S = q.shape[2], k.shape[2]
    if visible is not None:
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=visible)
    if on_gpu() or T == 1:
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask="causal" if T > 1 else None)
    visible = mx.arange(S)[None] <= mx.arange(S - T, S)[:, None]
    return _causal_softmax((q * scale) @ k.swapaxes(-1, -2), visible) @ v


@mx.custom_function
def _causal_softmax(scores: mx.array, visible: mx.array) -> mx.array:
    scores = mx.where(visible, scores, -math.inf)
    exps = mx.where(visible, exp(scores - mx.max(scores, axis=-1, keepdims=True)), 0.0)
    return exps / mx.sum(exps, axis=-1, keepdims=True)


@_causal_softmax.vjp
def _causal_softmax_vjp(primals, cotangent: mx.array, probs: mx.array):
    shared = mx.sum(cotangent * probs, axis=-1, keepdims=True)
    return probs * (cotangent - shared), mx.zeros_like(primals[1])
