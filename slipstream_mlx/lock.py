"""One run to a folder: two that write the same checkpoint would ruin it between them."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from .errors import SlipstreamError

LOCK = "lock"


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process, made if need be. The system lets go of it when the process ends, however it ends.

    Raises SlipstreamError that names the process which holds it.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    file = _take(path, folder)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()
        with contextlib.suppress(OSError):  # a run that wrote nothing leaves nothing
            for empty in made:
                empty.rmdir()


def _take(path: Path, folder: Path):
    while True:
        file = open(path, "a+")  # noqa: SIM115  (held until the run ends)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise SlipstreamError(
                f"another run (process {holder}) is training in {folder}: stop it, wait for it, or choose another --out"
            ) from None
        except OSError:  # a file system without locks, as some network disks are: go on without
            pass
        if path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            return file
        file.close()  # its last holder removed it between our two steps
