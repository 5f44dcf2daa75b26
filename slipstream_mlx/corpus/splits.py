"""Questions kept out of training, by fact and by phrasing, so that three things can be told apart.

A model may answer a new question because it knows the fact, because it knows the wording, or both. Some facts are
never asked in training, though the articles tell them, and of each kind of question some whole phrasings are never
used. What is held out depends on names alone, through a hash: the same for every seed, machine and order of rows.

Facts that give each other away share an entity (see `Ask.gives_away`), and are held out together. Records are asked
for but once, so that none of them is held out.
"""

import functools
import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator

from .question_templates import QUESTIONS

SPLITS = ("train", "seen_phrasing_unseen_fact", "unseen_phrasing_seen_fact", "both_unseen")
HELD_FACTS = 0.03  # of each kind
_NEVER_HELD = "record."


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@functools.lru_cache(maxsize=1 << 16)
def is_held_fact(entity: str) -> bool:
    return not entity.startswith(_NEVER_HELD) and _number(f"fact {entity}") < HELD_FACTS * 2**64


@functools.cache
def held_templates(key: str) -> frozenset[str]:
    """The phrasings of a kind of question that are kept for evaluation: three of twenty or more, else two."""
    n = len(QUESTIONS[key].phrasings)
    names = sorted((f"{key}.{index}" for index in range(n)), key=lambda name: _number(f"phrasing {name}"))
    return frozenset(names[: 3 if n >= 20 else 2])


def split_of(row: dict) -> str:
    """Which split a row belongs to, by its `entity` and `template` alone."""
    new_fact = is_held_fact(row["entity"])
    new_phrasing = row["template"] in held_templates(row["template"].rpartition(".")[0])
    return SPLITS[new_fact + 2 * new_phrasing]


def split_questions(
    rows: Iterable[dict], at_most: int = 1000, seed: int = 0, on_train: Callable[[dict], object] | None = None
) -> dict[str, list[dict]]:
    """The rows by split; of each evaluation split a sample of `at_most`, with all kinds of questions in it.

    The sample is the same for the same seed, in whatever order the rows come. Training rows are kept in a list or, so
    that memory stays flat, handed to `on_train` one by one.
    """
    train: list[dict] = []
    keep = on_train or train.append
    samples = {split: _Sample(at_most, seed) for split in SPLITS[1:]}
    for row in rows:
        split = split_of(row)
        if split == SPLITS[0]:
            keep(row)
        else:
            samples[split].add(row)
    return {SPLITS[0]: train, **{split: list(sample.rows()) for split, sample in samples.items()}}


class _Sample:
    """Keeps, for each kind of question, the rows whose hashes are lowest, and takes from the kinds in turn."""

    def __init__(self, at_most: int, seed: int):
        self.at_most, self.seed = at_most, seed
        self.heaps: dict[str, list[tuple[int, int, dict]]] = {}
        self.seen = 0  # breaks ties, so that no two rows are compared

    def add(self, row: dict) -> None:
        heap = self.heaps.setdefault(row["template"].rpartition(".")[0], [])
        self.seen += 1
        entry = (-_number(f"{self.seed} {row['template']} {row['entity']} {row['question']}"), self.seen, row)
        if len(heap) < max(1, min(self.at_most, 100)):
            heapq.heappush(heap, entry)
        elif entry[0] > heap[0][0]:
            heapq.heapreplace(heap, entry)

    def rows(self) -> Iterator[dict]:
        queues = [iter(sorted(heap, key=lambda entry: -entry[0])) for _, heap in sorted(self.heaps.items())]
        left = self.at_most
        while queues and left:
            for queue in list(queues):
                entry = next(queue, None)
                if entry is None:
                    queues.remove(queue)
                elif left:
                    left -= 1
                    yield entry[2]
