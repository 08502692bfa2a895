"""Atomic writing of files, by one process at a time where that matters, and their checksums."""

import errno
import hashlib
import json
import math
import os
import re
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_string_dtype

# A folder that cannot be written to, or a full disk, is the machine's.
UNWRITABLE = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENOTDIR,
)
# How libraries say so that raise no OSError: safetensors, tokenizers and torch.
UNWRITTEN = re.compile(r"\(os error (\d+)\)|PytorchStreamWriter failed|unexpected pos \d+ vs \d+")
FREE = (
    "; free some space, or name folders that can be written to in FACTMIX_CACHE (downloads) and"
    " FACTMIX_RUNS (results)"
)
OFTEN = 8  # times that a value of a column is there on average; else plain text is smaller
CONTENT = "content_sha256"  # the attribute of a sealed table


class DamagedError(ValueError):
    """A file is not as it was written: it was cut short, or changed by hand."""

    def __init__(self, path: Path, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(
            f"{path}: {why}; expected the file as it was written: delete it, and make it again"
        )


def is_unwritable(error: BaseException) -> bool:
    """Whether an error says that something cannot be written where it should be."""
    if isinstance(error, OSError):
        return error.errno in UNWRITABLE
    said = UNWRITTEN.search(str(error))
    return said is not None and (said[1] is None or int(said[1]) in UNWRITABLE)


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


def write_sections(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a large JSON object with a line for each entry of each of its entries."""

    def line(tree: Any) -> str:
        return json.dumps(tree, allow_nan=False, separators=(",", ":"))

    def section(tree: Any) -> str:
        if not isinstance(tree, dict) or not tree:
            return line(tree)
        entries = ",\n".join(f"{line(name)}:{line(inner)}" for name, inner in tree.items())
        return f"{{\n{entries}\n}}"

    with written_whole(path) as part:
        entries = ",\n".join(f"{line(name)}:{section(inner)}" for name, inner in content.items())
        part.write_text(f"{{\n{entries}\n}}\n", encoding="utf-8")


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Writes a small Parquet file: floats split by byte, a dictionary of what repeats often.

    Without the copies of the schema that Arrow and pandas keep in the metadata, which would take a
    seventh of a run's files.
    """
    floats = list(frame.select_dtypes("float").columns)
    repeating = [
        column
        for column in frame.columns.difference(floats, sort=False)
        if is_string_dtype(frame[column]) and frame[column].nunique() <= len(frame) / OFTEN
    ]
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    attributes = {"PANDAS_ATTRS": json.dumps(frame.attrs)}  # where pandas writes and reads them
    with (
        written_whole(path) as part,
        pq.ParquetWriter(
            part,
            table.schema,
            compression="zstd",
            compression_level=19,
            use_byte_stream_split=floats,
            use_dictionary=repeating,
            write_statistics=False,
            store_schema=False,
        ) as writer,
    ):
        writer.write_table(table)
        writer.add_key_value_metadata(attributes)


def write_record(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object with its own checksum, by which `read_record` notices changes."""
    write_json(path, {**content, "sha256": _json_sha256(content)})


def read_record(path: Path) -> dict[str, Any]:
    """A JSON object that `write_record` wrote, without its checksum.

    Raises:
        DamagedError: the file is no JSON object, or its checksum is missing or of another content.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamagedError(path, f"it is no valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise DamagedError(path, "it is no JSON object")
    if "sha256" not in content:
        raise DamagedError(path, "it has no checksum (another version wrote it, or it was changed)")
    if content.pop("sha256") != _json_sha256(content):
        raise DamagedError(path, "it was changed after it was written")
    return content


def _json_sha256(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def write_sealed(path: Path, frame: pd.DataFrame) -> None:
    """Writes a Parquet file with the checksum of its rows; see `read_attributes`."""
    sealed = frame.copy(deep=False)
    sealed.attrs = {**frame.attrs, CONTENT: _table_sha256(frame)}
    write_parquet(path, sealed)


def read_attributes(path: Path) -> dict[str, Any]:
    """The attributes (`DataFrame.attrs`) stored in a Parquet file.

    Raises:
        DamagedError: the file cannot be read, or its rows are not those that were sealed.
    """
    try:
        kept = (pq.read_schema(path).metadata or {}).get(b"PANDAS_ATTRS", b"{}")
        attributes: dict[str, Any] = json.loads(kept)
        sealed = attributes.pop(CONTENT, None)
        content = sealed and _table_sha256(pd.read_parquet(path))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedError(path, f"it cannot be read as Parquet ({error})") from error
    if content != sealed:
        raise DamagedError(path, "its rows were changed after it was written")
    return attributes


def _table_sha256(frame: pd.DataFrame) -> str:
    text = frame.to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(text.encode()).hexdigest()


def changed_beside(record: Path) -> list[str]:
    """The files in the folder of a record that are there, and not as its `files_sha256` says.

    Raises:
        DamagedError: the record itself is not as it was written.
    """
    sums = read_record(record).get("files_sha256", {}) if record.is_file() else {}
    here = {name: sums[name] for name in sums if (record.parent / name).is_file()}
    return altered(record.parent, here)


def altered(folder: Path, sums: Mapping[str, str]) -> list[str]:
    """The files of a folder that are missing, or not as they were written.

    Args:
        folder: with the files.
        sums: the SHA-256 of each file, by its path in the folder.
    """
    paths = {name: folder / name for name in sums}
    return [
        name for name, path in paths.items() if not path.is_file() or sha256(path) != sums[name]
    ]


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def rows_sha256(path: Path) -> str:
    """The SHA-256 of the columns and rows of a Parquet file, however a library stored them.

    Raises:
        DamagedError: it cannot be read.
    """
    try:
        rows = pq.read_table(path).to_pydict()
    except pa.ArrowException as error:
        raise DamagedError(path, f"it cannot be read as Parquet ({error})") from error
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


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
