import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_mlx.data import TokenSet
from slipstream_mlx.packing import make_batches, pack, validation_batches, word_weights

PAD = 999


def token_set(lengths, whole=False):
    """Documents of the given lengths whose tokens count up from 0, so that nothing can be mistaken."""
    total = sum(lengths)
    return TokenSet(np.arange(total, dtype=np.uint16), np.ones(total, bool), np.cumsum([0, *lengths]), whole)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(2, 17))
def test_packed_text_runs_on_without_loss(lengths, row):
    tokens, scored = pack(token_set(lengths), range(len(lengths)), row, PAD)
    assert tokens.shape == scored.shape and tokens.shape[1] == row
    assert tokens[scored].tolist() == list(range(sum(lengths)))
    assert (tokens[~scored] == PAD).all() and (~scored).sum() < row


@given(st.lists(st.integers(1, 17), min_size=1, max_size=20), st.integers(17, 40))
def test_packed_pairs_are_never_cut(lengths, row):
    data = token_set(lengths, whole=True)
    tokens, scored = pack(data, range(len(lengths)), row, PAD)
    assert sorted(tokens[scored].tolist()) == list(range(sum(lengths))) and (tokens[~scored] == PAD).all()
    text = ["," + ",".join(map(str, r.tolist())) + "," for r in tokens]
    for start, end in zip(data.starts, data.starts[1:], strict=False):
        assert any("," + ",".join(map(str, range(start, end))) + "," in r for r in text), "in one piece, in one row"


def test_a_pair_fills_the_room_that_it_fills_best():
    tokens, _ = pack(token_set([6, 5, 4, 2, 3], whole=True), range(5), 9, PAD)
    assert tokens.tolist() == [
        [0, 1, 2, 3, 4, 5, 15, 16, PAD],
        [6, 7, 8, 9, 10, 11, 12, 13, 14],
        [17, 18, 19, PAD, PAD, PAD, PAD, PAD, PAD],
    ]


def test_a_pair_longer_than_a_row_keeps_its_answer():
    tokens, scored = pack(token_set([12], whole=True), [0], 5, PAD)
    assert tokens.tolist() == [[7, 8, 9, 10, 11]]


@given(
    shares=st.sampled_from([(1.0,), (0.5, 0.5), (0.7, 0.3), (0.95, 0.05), (1.0, 0.0)]),
    batch_size=st.integers(2, 9), step=st.integers(0, 50),
)  # fmt: skip
@settings(max_examples=40)
def test_batches(shares, batch_size, step):
    sources = [(token_set([5, 9, 40]), shares[0]), (token_set([4, 6, 3], whole=True), shares[-1])][: len(shares)]
    batch = make_batches(sources, batch_size, 8, PAD, seed=1)
    ((inputs, targets, weights),) = batch(step)
    assert inputs.shape == targets.shape == weights.shape == (batch_size, 8)
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    real = weights > 0
    assert (targets[real] == inputs[real] + 1).mean() > 0.5  # counting tokens: the target is the next one
    (again,) = make_batches(sources, batch_size, 8, PAD, seed=1)(step)
    assert all((a == b).all() for a, b in zip(batch(step)[0], again, strict=True))


def test_batches_do_not_depend_on_what_was_asked_before():
    sources = [(token_set([50, 60]), 1.0)]
    one, other = (make_batches(sources, 4, 8, PAD, seed=1) for _ in range(2))
    for step in range(9):
        one(step)
    assert (one(9)[0][0] == other(9)[0][0]).all()
    assert not (one(8)[0][0] == one(9)[0][0]).all()


def test_questions_may_stand_in_shorter_rows():
    sources = [(token_set([50, 60]), 0.5), (token_set([4, 6, 3], whole=True), 0.5)]
    text, questions = make_batches(sources, 4, 16, PAD, seed=1, question_context=8)(3)
    assert text[0].shape == (2, 16) and questions[0].shape == (4, 8)  # as many tokens of each
    assert text[2].sum() == pytest.approx(0.5, abs=1e-5) and questions[2].sum() == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("table_weight", [0.5, 1.0, 3.0])
def test_a_word_from_tables_counts_what_it_is_told_to_and_questions_by_hand_their_share(table_weight):
    tables, by_hand = (token_set([4, 6, 3], whole=True) for _ in range(2))
    tables.tables = True
    sources = [(token_set([50, 60]), 0.5), (by_hand, 0.2), (tables, 0.3)]
    parts = make_batches(sources, 8, 16, PAD, seed=1, question_context=8, table_weight=table_weight)(3)
    text = set(parts[0][2][parts[0][2] > 0].tolist())
    hand_rows, table_rows = parts[1][2][:3], parts[1][2][3:]  # two fifths of eight rows
    from_tables = set(table_rows[table_rows > 0].tolist())
    assert len(text) == len(from_tables) == 1 and from_tables.pop() / text.pop() == pytest.approx(table_weight)
    assert hand_rows.sum() == pytest.approx(0.2, abs=1e-5)
    assert sum(weights.sum() for _, _, weights in parts) == pytest.approx(1, abs=1e-5)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50), st.floats(0.01, 1)), min_size=1),
    st.sampled_from([0, 0.3, 1, 5]),
)
def test_the_weights_of_all_words_come_to_one(members, table_weight):
    sources, counts = [], []
    for what, n, share in members:
        data = token_set([3], whole=what > 0)
        data.tables = what == 2
        sources.append((data, share))
        counts.append(n)
    each = word_weights(sources, counts, table_weight)
    assert all(weight >= 0 for weight in each)
    assert sum(w * n for w, n in zip(each, counts, strict=True)) == pytest.approx(1 if any(counts) else 0)


def test_every_token_is_seen_in_an_epoch():
    batch = make_batches([(token_set([33, 44, 22]), 1.0)], 1, 9, PAD, seed=0)
    rows = -(-99 // 10)
    seen = set()
    for step in range(rows):
        ((inputs, targets, _),) = batch(step)
        seen |= set(inputs.reshape(-1).tolist()) | set(targets.reshape(-1).tolist())
    assert set(range(99)) <= seen


def test_validation_covers_each_token_once(tokenizer):
    data = token_set([13, 8, 30])
    batches = validation_batches(data, 2, 8, PAD, limit=100)
    assert sum(w.sum() for _, _, w in batches) == 51 - len(
        pack(data, range(3), 9, PAD)[0]
    )  # first tokens have no guess
    assert {i.shape for i, _, _ in batches} == {(2, 8)}
    assert validation_batches(token_set([]), 2, 8, PAD, 5) == []


def test_pairs_come_block_by_block_but_all_in_an_epoch():
    lengths = [3 + i % 5 for i in range(5000)]  # three blocks
    batch = make_batches([(token_set(lengths, whole=True), 1.0)], 8, 15, PAD, seed=0)
    seen = set()
    for step in range(round(1.05 * sum(lengths) / (8 * 16))):
        ((inputs, targets, _),) = batch(step)
        seen |= {*inputs[:, 0].tolist(), *targets.reshape(-1).tolist()}
    assert len(seen - {PAD}) > 0.98 * sum(lengths)  # every block gives as many rows as the first
