"""safetensors files that carry their own hash, so that a flipped bit or a missing end is found when they are read.

The hash stands in the file's metadata, which other tools skip, and covers every byte of the file but its own 64
digits: file and hash cannot get apart. Files that other tools wrote have none and are checked for their layout alone.
"""

import contextlib
import hashlib
import json
import shutil
from pathlib import Path

import mlx.core as mx

from .errors import SlipstreamError
from .files import replace, temporary_path


class DamagedError(SlipstreamError):
    """A file is not what was written."""


SEAL, DIGITS = b'"sha256":"', 64
MAX_HEADER = 100 << 20  # bytes; the format's own limit
ITEM_BYTES = {"BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
              "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "C64": 8}  # fmt: skip


def write_safetensors(path: Path, arrays: dict[str, mx.array], metadata: dict[str, str]) -> None:
    """Write a safetensors file atomically, with its hash in the metadata.

    Raises SlipstreamError if the disk is full or refuses; then the file that was there before is still there.
    """
    temporary = temporary_path(path)
    try:
        temporary.touch()  # MLX's own error would not say why
        mx.save_safetensors(str(temporary), arrays, metadata | {"sha256": "0" * DIGITS})
        place, _, digest = _hash(temporary)
        with open(temporary, "rb+") as file:
            file.seek(place)
            file.write(digest)
        replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError | RuntimeError):
            raise
        free = shutil.disk_usage(path.parent).free
        reason = getattr(error, "strerror", None) or str(error)
        raise SlipstreamError(
            f"{path} cannot be written ({reason}; {free / 2**20:,.0f} MiB are free there): what was saved before is "
            "kept. Make room, and go on with --resume"
        ) from None


def read_safetensors(path: Path) -> tuple[dict[str, mx.array], dict[str, str]]:
    """The arrays and the metadata of a file that is whole. Raises DamagedError that says what is wrong with it."""
    try:
        check_layout(path)
        place, stored, digest = _hash(path)
        if place and stored != digest:
            raise ValueError("its hash is not the one it was saved with")
        return mx.load(str(path), return_metadata=True)
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DamagedError(f"{path} cannot be read ({reason}): train or copy the checkpoint again") from None


def is_whole(path: Path) -> bool:
    """Is this a file that `read_safetensors` reads?"""
    try:
        read_safetensors(path)
    except DamagedError:
        return False
    return True


def check_layout(path: Path) -> None:
    """Raise ValueError if the header is not one of arrays that fill the rest of the file, each byte once.

    MLX trusts what a header says: this looks first.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise ValueError("it is cut off or no safetensors file")
        try:
            header = json.loads(file.read(length).decode("utf-8"))
        except (ValueError, RecursionError):
            raise ValueError("its header is not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not an object")
    metadata = header.pop("__metadata__", None) or {}  # MLX writes null for none
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its metadata is not texts")
    spans = []
    for name, entry in header.items():
        try:
            (start, end), shape, dtype = entry["data_offsets"], entry["shape"], entry["dtype"]
            numbers = [start, end, *shape]
            count = ITEM_BYTES[dtype]
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"its header says nothing sensible of {name!r}") from None
        if not all(type(n) is int and 0 <= n < 1 << 48 for n in numbers) or len(shape) > 8:
            raise ValueError(f"its header has impossible numbers for {name!r}")
        for n in shape:
            count *= n
        if end - start != count:
            raise ValueError(f"{name!r} has {end - start} bytes and needs {count}")
        spans.append((start, end))
    at = 0
    for start, end in sorted(spans):
        if start != at:
            raise ValueError("its arrays overlap or leave gaps")
        at = end
    if at != size - 8 - length:
        raise ValueError(f"it has {size - 8 - length} bytes of arrays and its header tells of {at}")


def _hash(path: Path) -> tuple[int, bytes, bytes]:
    """(Where in the file its hash stands or 0, what stands there, what should stand there)."""
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        length = file.read(8)
        header = file.read(int.from_bytes(length, "little"))
        found = header.find(SEAL)
        if found < 0:
            return 0, b"", b""
        start = found + len(SEAL)
        stored = header[start : start + DIGITS]
        hasher.update(length + header[:start] + b"0" * DIGITS + header[start + DIGITS :])
        while chunk := file.read(1 << 22):
            hasher.update(chunk)
    return 8 + start, stored, hasher.hexdigest().encode()
