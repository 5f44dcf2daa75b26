"""From tokens to batches: TokenSet -> rows of context + 1 tokens -> batches, and what each word of them counts.

Batches are a pure function of the settings and the step's number: nothing is kept between steps, so a resumed run
sees exactly the data it would have seen.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from .data import TokenSet

PAIRS_AT_A_TIME = 2048
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]  # inputs, targets, weights, each [B, T]


def shares(sets: Iterable[TokenSet], share: float) -> list[tuple[TokenSet, float]]:
    """The sets, each with its part of `share`: by the square root of its tokens.

    By size alone, a million lines from tables would drown a handbook of a hundred pages; in equal parts, the handbook
    would be read a hundred times for once. Between the two lies the usual rule for unequal sources (as for languages
    in Conneau & Lample, 2019).
    """
    sets = [data for data in sets if len(data)]
    weights = [math.sqrt(len(data.tokens)) for data in sets]
    return [(data, share * weight / sum(weights)) for data, weight in zip(sets, weights, strict=True)]


def pack(data: TokenSet, order: Iterable[int], length: int, pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Lay documents out in rows of `length` tokens: tokens [R, length] and scored [R, length].

    Texts stand end to end and run on from one row to the next. A pair is never cut: it goes into the row whose room it
    fills best, or begins a new one, and what room is left at the end is padding that is not scored. (Laid end to end,
    pairs of 24 tokens leave a fifth of each row of 64 empty.) One longer than a row loses its beginning, for its
    answer stands at the end.
    """
    if data.whole:
        rows = _best_fit(data, order, length)
    else:
        spans = [(data.starts[index], data.starts[index + 1]) for index in order]
        rows = [spans] if spans else []
    tokens, scored = [], []
    for spans in rows:
        used = sum(end - start for start, end in spans)
        gap = -used % length
        tokens += [*(data.tokens[start:end] for start, end in spans), np.full(gap, pad_id, data.tokens.dtype)]
        scored += [*(data.scored[start:end] for start, end in spans), np.zeros(gap, bool)]
    if not rows:
        return np.zeros((0, length), data.tokens.dtype), np.zeros((0, length), bool)
    return np.concatenate(tokens).reshape(-1, length), np.concatenate(scored).reshape(-1, length)


def _best_fit(data: TokenSet, order: Iterable[int], length: int) -> list[list[tuple[int, int]]]:
    """The pairs' (start, end) by row: each in the open row with the least room that still holds it."""
    rows: list[list[tuple[int, int]]] = []
    with_room: list[list[int]] = [[] for _ in range(length + 1)]  # room left -> rows that have just that
    starts = data.starts.tolist()
    for index in order:
        start, end = starts[index], starts[index + 1]
        start = max(start, end - length)
        size = end - start
        room = next((room for room in range(size, length) if with_room[room]), length)
        row = with_room[room].pop() if room < length else len(rows)
        if row == len(rows):
            rows.append([])
        rows[row].append((start, end))
        with_room[room - size].append(row)
    return rows


class RowStream:
    """An endless, numbered stream of packed rows: row i is always the same one.

    Each epoch shuffles the documents anew and packs them again, so the same words stand in other company and at
    other positions every time. Pairs, which are slow to pack, are packed a block at a time, while a GPU is busy with
    the step before; half a million at once would keep it waiting for seconds, some twenty times in a run.
    """

    def __init__(self, data: TokenSet, length: int, pad_id: int, seed: int):
        self.data, self.length, self.pad_id, self.seed = data, length, pad_id, seed
        self.blocks_per_epoch = max(1, -(-len(data) // PAIRS_AT_A_TIME)) if data.whole else 1
        self._order: tuple[int, np.ndarray] = -1, np.empty(0, int)
        self._blocks: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        # Padding differs a little from shuffle to shuffle; a fixed count makes row i's block a division.
        self.rows_per_block = max(1, len(self._block(0)[0]))

    def _block(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        if number not in self._blocks:
            self._blocks = {k: v for k, v in self._blocks.items() if k == number - 1}
            epoch, part = divmod(number, self.blocks_per_epoch)
            if self._order[0] != epoch:
                self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(len(self.data))
            first, end = (len(self.data) * k // self.blocks_per_epoch for k in (part, part + 1))
            tokens, scored = pack(self.data, self._order[1][first:end], self.length, self.pad_id)
            order = np.random.default_rng([self.seed, epoch, part]).permutation(len(tokens))
            self._blocks[number] = tokens[order], scored[order]
        return self._blocks[number]

    def rows(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows first .. first + count - 1: tokens and scored, each [count, length]."""
        out = []
        for i in range(first, first + count):
            tokens, scored = self._block(i // self.rows_per_block)
            at = i % self.rows_per_block % len(tokens)
            out.append((tokens[at], scored[at]))
        return np.stack([t for t, _ in out]), np.stack([s for _, s in out])


def make_batches(
    sources: Sequence[tuple[TokenSet, float]],
    batch_size: int,
    context: int,
    pad_id: int,
    seed: int,
    question_context: int = 0,
    table_weight: float = 0.0,
) -> Callable[[int], list[Batch]]:
    """A function from a step's number to its batch, in one or two parts: inputs, targets and weights, each [rows, T].

    Args:
        sources: token sets with the share of a batch's tokens that each gets; shares sum to one.
        batch_size, context: a batch has about as many tokens as `batch_size` rows of `context`.
        question_context: how long the rows of questions are, if not `context`; they are then a part of their own.
        table_weight: what a word of an answer from the tables counts beside a word of text; 0 gives them, too, as much
            of the loss as they have of the batch (see `word_weights`).
    Returns:
        weights are float32 and sum to one over the parts.
    """
    by_length: dict[int, list[tuple[TokenSet, float, int]]] = defaultdict(list)
    for number, (data, share) in enumerate((data, share) for data, share in sources if share > 0):
        length = question_context if data.whole and question_context else context
        by_length[length].append((data, share, seed + 7919 * number))
    parts = []
    for length, members in by_length.items():
        total = sum(share for _, share, _ in members)
        rows = max(1, round(batch_size * context * total / length))
        counts = _share_rows([share / total for _, share, _ in members], rows)
        parts.append([
            (RowStream(data, length + 1, pad_id, own_seed), n, share)
            for (data, share, own_seed), n in zip(members, counts, strict=True) if n
        ])  # fmt: skip
    streams = [(stream.data, share) for members in parts for stream, _, share in members]

    def batch(step: int) -> list[Batch]:
        rows = [[stream.rows(step * n, n) for stream, n, _ in members] for members in parts]
        counts = [int(scored[:, 1:].sum()) for members in rows for _, scored in members]
        each = iter(word_weights(streams, counts, table_weight))
        made = []
        for members in rows:
            tokens = np.concatenate([tokens for tokens, _ in members])
            weights = np.concatenate([scored[:, 1:] * next(each) for _, scored in members])
            made.append((tokens[:, :-1], tokens[:, 1:], weights.astype(np.float32)))
        return made

    return batch


def word_weights(sources: Sequence[tuple[TokenSet, float]], counts: list[int], table_weight: float) -> list[float]:
    """What each scored token of a source counts in the loss, so that all of a batch come to one.

    By default a source has as much of the loss as of the batch, spread evenly over its scored tokens: answers are
    short, and articles would drown them. That makes a word of an answer weigh some five words of text. Questions by
    hand need it, for their facts stand in few other places. Facts from tables are told in the text hundreds of times;
    asked too loudly, some are learnt by heart as questions, and the others no longer looked up (experiment_log.md).
    With a `table_weight`, text and tables therefore share what questions by hand leave of the loss, word by word.
    """
    by_word = [
        0.0 if not table_weight or (data.whole and not data.tables) else table_weight if data.tables else 1.0
        for data, _ in sources
    ]
    shares_seen = [share if n else 0.0 for (_, share), n in zip(sources, counts, strict=True)]
    common = sum(share for share, word in zip(shares_seen, by_word, strict=True) if word)
    common /= max(1e-9, sum(word * n for word, n in zip(by_word, counts, strict=True)))
    each = [
        word * common if word else share / max(1, n)
        for word, share, n in zip(by_word, shares_seen, counts, strict=True)
    ]
    return [weight / max(1e-9, sum(shares_seen)) for weight in each]


def _share_rows(shares: list[float], batch_size: int) -> list[int]:
    """Whole rows for each source, every one at least one row if the batch is large enough."""
    counts = [int(share * batch_size) for share in shares]
    if batch_size >= len(shares):
        counts = [max(1, n) for n in counts]
    while sum(counts) != batch_size:
        off = [share * batch_size - n for share, n in zip(shares, counts, strict=True)]
        counts[int(np.argmax(off)) if sum(counts) < batch_size else int(np.argmin(off))] += (
            1 if sum(counts) < batch_size else -1
        )
    return counts


def validation_batches(data: TokenSet, batch_size: int, context: int, pad_id: int, limit: int) -> list[Batch]:
    """At most `limit` batches over the data in its own order; here weights are 1 for every scored token."""
    if not len(data):
        return []
    tokens, scored = pack(data, range(len(data)), context + 1, pad_id)
    picks = np.linspace(0, len(tokens) - 1, min(len(tokens), limit * batch_size)).astype(int)
    batches = []
    for start in range(0, len(picks), batch_size):
        rows = picks[start : start + batch_size]
        # the last batch is filled up with unscored rows: every new shape would compile the step again
        short = batch_size - len(rows)
        rows = np.concatenate([rows, np.zeros(short, int)])
        weights = scored[rows, 1:].astype(np.float32)
        if short:
            weights[-short:] = 0
        batches.append((tokens[rows, :-1], tokens[rows, 1:], weights))
    return batches
