"""Writing files so that whenever the power goes there is either the old file or the new one, never half of one."""

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path

TEMPORARY = ".tmp-"  # in front of the name: mlx-lm loads every model*.safetensors that it sees


def temporary_path(path: Path) -> Path:
    """Where a file is written before it is renamed to `path`."""
    return path.with_name(TEMPORARY + path.name)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: beside its place, flushed to disk, renamed over the old one."""
    temporary = temporary_path(path)
    try:
        with open(temporary, "wb") as file:
            file.write(content)
        replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write JSON atomically."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1))


def replace(temporary: Path, path: Path) -> None:
    """Flush a finished temporary file to disk and rename it over `path`."""
    with open(temporary, "rb+") as file:
        _flush(file.fileno())
    os.replace(temporary, path)


def duplicate(path: Path, copy: Path) -> None:
    """Let `copy` hold what `path` holds now, atomically. A hard link where the file system has them: it costs nothing,
    and replacing `path` later leaves the copy as it was."""
    temporary = temporary_path(copy)
    temporary.unlink(missing_ok=True)
    try:
        os.link(path, temporary)
    except OSError:
        shutil.copyfile(path, temporary)
    replace(temporary, copy)
    temporary.unlink(missing_ok=True)  # renaming one link of a file over another does nothing and leaves both


def remove_temporaries(*folders: Path) -> None:
    """Remove what a killed run had begun to write. Call it only while no other run can write there."""
    for folder in folders:
        for path in folder.glob(f"{TEMPORARY}*"):
            path.unlink(missing_ok=True)


def _flush(descriptor: int) -> None:
    """To the disk itself: on macOS fsync stops at the drive's own cache."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with contextlib.suppress(OSError):  # not every file system knows it
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)
