import mlx.core as mx
import mlx.nn as nn
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_mlx.losses import cross_entropy, evaluate_cross_entropy


@given(
    tokens=st.integers(1, 40), vocab=st.integers(2, 90), width=st.integers(1, 24), chunk=st.integers(1, 50),
    scale=st.sampled_from([0.01, 1.0, 5.0]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_equals_the_plain_loss_and_gradients(tokens, vocab, width, chunk, scale, seed):
    mx.random.seed(seed)
    hidden, head = scale * mx.random.normal((tokens, width)), mx.random.normal((vocab, width))
    targets, weights = mx.random.randint(0, vocab, (tokens,)), mx.random.uniform(shape=(tokens,))

    def ours(hidden, head):
        return cross_entropy(hidden, head, targets, weights, chunk)

    def plain(hidden, head):
        return (nn.losses.cross_entropy(hidden @ head.T, targets) * weights).sum()

    loss, grads = mx.value_and_grad(ours, (0, 1))(hidden, head)
    wanted, wanted_grads = mx.value_and_grad(plain, (0, 1))(hidden, head)
    assert abs(loss.item() - wanted.item()) < 1e-5 * max(1, abs(wanted.item()))
    assert abs(evaluate_cross_entropy(hidden, head, targets, weights, chunk).item() - loss.item()) < 1e-5 * max(
        1, abs(loss.item())
    )
    for a, b in zip(grads, wanted_grads, strict=True):
        assert float(mx.abs(a - b).max()) < 2e-5 * max(1.0, float(mx.abs(b).max()))


def test_weights_of_zero_leave_tokens_out():
    hidden, head = mx.random.normal((2, 3, 8)), mx.random.normal((16, 8))
    targets = mx.random.randint(0, 16, (2, 3))
    weights = mx.array([[1.0, 0, 0], [0, 0, 0]])
    one = cross_entropy(hidden[:1, :1], head, targets[:1, :1], mx.ones((1, 1)))
    assert cross_entropy(hidden, head, targets, weights).item() == pytest.approx(one.item(), rel=1e-5)
    grad = mx.grad(lambda h: cross_entropy(h, head, targets, weights))(hidden)
    assert float(mx.abs(grad[1]).max()) == 0


def test_compiled_equals_eager():
    hidden, head = mx.random.normal((20, 8)), mx.random.normal((16, 8))
    targets, weights = mx.random.randint(0, 16, (20,)), mx.ones((20,))
    f = mx.value_and_grad(lambda h, w: cross_entropy(h, w, targets, weights, 6), (0, 1))
    for (loss, grads), (again, grads_again) in [(f(hidden, head), mx.compile(f)(hidden, head))]:
        assert loss.item() == pytest.approx(again.item(), rel=1e-5)
        assert all(float(mx.abs(a - b).max()) < 1e-4 for a, b in zip(grads, grads_again, strict=True))
