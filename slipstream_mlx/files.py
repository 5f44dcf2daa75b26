"""Writing files so that whenever the power goes there is either the old file or the new one, never half of one."""

import json
import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically: beside its place, flushed to disk, renamed over the old one."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def replace(temporary: Path, path: Path) -> None:
    """Flush a finished temporary file to disk and rename it over `path`."""
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_json(path: Path, value: object) -> None:
    """Write JSON atomically."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1))
