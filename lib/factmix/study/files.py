"""Atomic writing of files, by one process at a time where that matters, and their checksums."""

import hashlib
import json
import math
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import pandas as pd
import pyarrow.parquet as pq


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def in_turn(path: Path, doing: str) -> Iterator[None]:
    """Lets one process at a time write a file; another one waits until the first has ended.

    Args:
        path: the file; its lock is an empty file beside it, which stays.
        doing: what is done, such as "downloading", for the message to whoever waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        print(f"another process is {doing} {path}; waiting for it", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_json(path: Path, content: Any) -> None:
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    with written_whole(path) as part:
        frame.to_parquet(part, index=False)


def read_attributes(path: Path) -> dict[str, Any]:
    """The attributes (`DataFrame.attrs`) stored in a Parquet file."""
    kept = (pq.read_schema(path).metadata or {}).get(b"PANDAS_ATTRS", b"{}")
    attributes: dict[str, Any] = json.loads(kept)
    return attributes


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def stored_numbers(path: Path) -> int:
    """How many numbers the tensors of a safetensors file have; reads its header only."""
    from safetensors import safe_open  # of the extra `train`

    with safe_open(path, "numpy") as tensors:
        names = tensors.keys()
        return sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)


def peak_memory_gb(usage: resource.struct_rusage | None = None) -> float:
    """The peak resident memory of a process, in units of 2**30 bytes.

    Args:
        usage: the system's resource usage of a process; by default of this one.
    """
    usage = usage or resource.getrusage(resource.RUSAGE_SELF)
    # in bytes on macOS, in units of 1,024 bytes elsewhere
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 2**10) / 2**30
