"""The one thread that generates.

MLX keeps its random state and streams per thread, and Gradio steps a generator from whichever pool thread is free, so
everything that touches a model runs here and pieces of text come back through queues. The thread takes turns: each
running job makes one step (one token) at a time, so two sides stream at once and sixteen users share the model fairly.
Each job keeps its own random key between its turns, so a seed gives the same text whoever else is asking.
"""

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

MAX_ACTIVE = 8  # jobs that take turns (each holds a KV cache); the others wait
PIECE, END, STOPPED, ERROR = "piece", "end", "stopped", "error"


class Stopped(Exception):
    """The job was stopped before it ended, or the worker has closed."""


@dataclass(frozen=True)
class Event:
    """What a job tells its reader: one PIECE for each step, then one END, STOPPED or ERROR. `at` is perf_counter()."""

    tag: int
    kind: str
    value: object
    at: float


@dataclass
class Job:
    """A piece of work: `start`, called on the worker thread, gives an iterator that is then stepped there."""

    start: Callable[[], Iterator]
    out: queue.SimpleQueue
    tag: int
    owner: str
    asked: float = field(default_factory=time.perf_counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _steps: Iterator | None = None
    _key: tuple[int, int] | None = None

    def stop(self) -> None:
        """Ask the worker to drop this job before its next step."""
        self._stop.set()

    def tell(self, kind: str, value: object = None) -> None:
        self.out.put(Event(self.tag, kind, value, time.perf_counter()))


class Worker:
    """Runs jobs until `close`. Safe to call from any thread."""

    def __init__(self):
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._jobs: dict[int, Job] = {}  # everything not yet over, for `stop` and `pending`
        self._ids = itertools.count()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="generation", daemon=True)
        self._thread.start()

    def submit(
        self, start: Callable[[], Iterator], out: queue.SimpleQueue | None = None, tag: int = 0, owner: str = ""
    ) -> Job:
        """Queue a job. Its events go to `out` (one queue may serve several jobs, told apart by `tag`)."""
        job = Job(start, out or queue.SimpleQueue(), tag, owner)
        with self._lock:
            if self._closed:
                raise Stopped("the demo is shutting down")
            self._jobs[next(self._ids)] = job
            self._inbox.put(job)
        return job

    def stop(self, owner: str) -> int:
        """Stop all of an owner's jobs, those that wait too; returns how many there were."""
        with self._lock:
            jobs = [job for job in self._jobs.values() if job.owner == owner]
        for job in jobs:
            job.stop()
        return len(jobs)

    def pending(self) -> int:
        """Jobs that run or wait."""
        with self._lock:
            return len(self._jobs)

    def close(self, timeout: float = 10.0) -> bool:
        """Stop every job, end the thread and wait for it; True if it ended in time."""
        with self._lock:
            self._closed = True
            for job in self._jobs.values():
                job.stop()
            self._inbox.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        import slipstream_mlx  # noqa: F401  (puts MKL in place before anything imports mlx)

        import mlx.core as mx  # isort: skip

        active: list[Job] = []
        try:
            while True:
                while len(active) < MAX_ACTIVE:
                    try:
                        job = self._inbox.get(block=not active)
                    except queue.Empty:
                        break
                    if job is None:
                        return
                    active.append(job)
                active = [job for job in active if self._step(job, mx)]
        finally:
            self._drain(active)
            mx.clear_streams()  # a thread that ends with streams of its own can take the process with it

    def _step(self, job: Job, mx) -> bool:
        """One turn; False when the job is over."""
        try:
            if job._stop.is_set():
                self._over(job, STOPPED)
                return False
            if job._steps is None:
                job._steps = job.start()
            if job._key is not None:
                mx.random.seed((job._key[0] << 32) | job._key[1])
            job.tell(PIECE, next(job._steps))
            job._key = tuple(mx.array(mx.random.state[0]).tolist())
            return True
        except StopIteration:
            self._over(job, END)
        except Exception as error:  # whatever one job does, the others go on
            self._over(job, ERROR, error)
        return False

    def _over(self, job: Job, kind: str, value: object = None) -> None:
        job._steps = None  # frees the KV cache
        with self._lock:
            self._jobs = {number: other for number, other in self._jobs.items() if other is not job}
        job.tell(kind, value)

    def _drain(self, active: list[Job]) -> None:
        while True:
            try:
                active.append(self._inbox.get_nowait())
            except queue.Empty:
                break
        for job in active:
            if job is not None:
                self._over(job, STOPPED)
