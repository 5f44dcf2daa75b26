"""Training on several devices at once: data parallelism over `mx.distributed`.

Every process holds the whole model and takes its share of each batch's rows. Gradients are summed over all of them
before the optimiser sees them, so all take the same step and stay the same model: N processes do what one would do
with the whole batch. MLX's own launcher starts them, on one machine or on many:

    mlx.launch -n 2 -- .venv/bin/python -m slipstream_mlx.train --preset slipstream-51m
    mlx.launch --hosts mac1,mac2 --backend ring -- .venv/bin/python -m slipstream_mlx.train --out /shared/base

Process 0 alone prints and writes. All read the same corpus and, to resume, the same checkpoint folder.
"""

import functools
import os
import signal
import sys
import threading
import zlib
from collections.abc import Sequence

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten

from .errors import SlipstreamError
from .packing import Batch

BUCKET = 32 << 20  # bytes sent together: each message costs a wait, however small
GRACE = 30  # seconds from SIGTERM to the end, at most: who waits for a process that is gone would wait for ever
BACKENDS = ("ring", "nccl", "jaccl", "mpi")


class Team:
    """The processes that train together. Usually that is one, and every method hands back what it was given."""

    def __init__(self, group: mx.distributed.Group | None = None):
        self.group = group
        self.rank: int = group.rank() if group else 0
        self.size: int = group.size() if group else 1
        self._wish = mx.array(0.0)
        self._done = threading.Event()

    def share(self, batch: list[Batch]) -> list[Batch]:
        """This process's rows of each part of a batch. Raises SlipstreamError if there are none."""
        mine = []
        for inputs, targets, weights in batch:
            here = slice(*(len(inputs) * rank // self.size for rank in (self.rank, self.rank + 1)))
            if len(inputs[here]):
                mine.append((inputs[here], targets[here], weights[here]))
        if not mine:
            raise SlipstreamError(f"a batch has fewer rows than there are processes ({self.size}): raise --batch-size")
        return mine

    def total(self, tree):
        """The sum over all processes of a tree of arrays, in few large messages."""
        if self.size == 1:
            return tree
        names, arrays = zip(*tree_flatten(tree), strict=True)
        summed: list[mx.array] = []
        for bucket in _buckets(arrays):
            joined = mx.concatenate([array.reshape(-1) for array in bucket])
            if summed:  # one message after the other: all processes must send them in the same order
                joined = mx.depends(joined, summed[-1:])
            joined, start = mx.distributed.all_sum(joined, group=self.group), 0
            for array in bucket:
                summed.append(joined[start : start + array.size].reshape(array.shape))
                start += array.size
        return tree_unflatten(list(zip(names, summed, strict=True)))

    def gather(self, number: float | int) -> list:
        """Every process's number, in order of rank: the same list in all of them."""
        if self.size == 1:
            return [number]
        return mx.distributed.all_gather(mx.array([number]), group=self.group).tolist()

    def agree(self, wish: object) -> bool:
        """Whether any process wished it, one step ago: all stop after the same step, and nobody waits for an answer."""
        if self.size == 1:
            return bool(wish)
        before, self._wish = self._wish, mx.distributed.all_sum(mx.array(float(bool(wish))), group=self.group)
        mx.async_eval(self._wish)
        return before.item() > 0

    def check_equal(self, what: str, text: str) -> None:
        """Raises SlipstreamError, naming `what`, if the text is not the same in every process."""
        if len(set(self.gather(zlib.crc32(text.encode()) >> 1))) > 1:
            raise SlipstreamError(f"the {self.size} processes differ in their {what}: give all the same")

    def __enter__(self) -> "Team":
        """While this is open, a process that is lost ends the others too, with a word on why."""
        if self.size > 1:
            read, self._pipe = os.pipe()
            os.set_blocking(self._pipe, False)
            signal.set_wakeup_fd(self._pipe)
            threading.Thread(target=self._end_after_sigterm, args=(read,), daemon=True).start()
        return self

    def __exit__(self, _kind, error: BaseException | None, _traceback) -> None:
        if self.size > 1:
            self._done.set()
            signal.set_wakeup_fd(-1)
            os.close(self._pipe)
            if isinstance(error, RuntimeError) and any(f"[{backend}]" in str(error) for backend in BACKENDS):
                raise SlipstreamError(self._lost()) from None

    def _lost(self) -> str:
        return (
            f"process {self.rank} of {self.size} lost another one, whose own error stands above; the last checkpoint "
            "is kept: start again with --resume, with as many processes as you like"
        )

    def _end_after_sigterm(self, pipe: int) -> None:
        """The launcher sends SIGTERM to all when one is gone. The main thread may be waiting for that one's share, and
        then Python does not run its signal handlers: this thread is told by the pipe."""
        with os.fdopen(pipe, "rb", buffering=0) as signals:
            while number := signals.read(1):
                if number[0] == signal.SIGTERM and not self._done.wait(GRACE):
                    print(f"error: {self._lost()}", file=sys.stderr, flush=True)
                    os._exit(2)


def _buckets(arrays: Sequence[mx.array]) -> list[list[mx.array]]:
    """The arrays in order, in groups of one type and at least BUCKET bytes where there are as many."""
    groups: list[list[mx.array]] = []
    for array in arrays:
        if not groups or sum(a.nbytes for a in groups[-1]) >= BUCKET or groups[-1][-1].dtype != array.dtype:
            groups.append([])
        groups[-1].append(array)
    return groups


@functools.cache
def team() -> Team:
    """The processes that `mlx.launch` (or mpirun) started this one with. All but process 0 fall silent."""
    if "MLX_RANK" not in os.environ and "OMPI_COMM_WORLD_RANK" not in os.environ:
        return Team()
    try:
        found = Team(mx.distributed.init())
    except RuntimeError as error:
        raise SlipstreamError(f"cannot reach the other processes ({error}): check the hosts and ports") from None
    if found.size == 1 and os.environ.get("MLX_RANK", "0") != "0":
        raise SlipstreamError("this MLX cannot reach the other processes: choose a --backend of mlx.launch that it has")
    if found.rank > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (open for as long as the process lives)
    return found
