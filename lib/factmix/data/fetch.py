"""A local copy of a public data file, which is the file it should be.

It is taken from the folder that FACTMIX_MIRROR names, if it is there, and otherwise downloaded once
into a cache (FACTMIX_CACHE, or the user's cache folder).
"""

import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pooch
import requests
from tqdm import tqdm

from factmix.data.sources import SOURCES, Source
from factmix.study.files import sha256

CHUNK = 2**20  # bytes
TIMEOUT = 60  # seconds without an answer from a server


class SourceError(RuntimeError):
    """A data file could not be had, or is not the expected one."""


def cache() -> Path:
    """The folder for what is downloaded and what is built from it."""
    return Path(os.environ.get("FACTMIX_CACHE") or pooch.os_cache("factmix"))


def fetch(name: str) -> Path:
    """A local copy of a file of `SOURCES`, its checksum verified.

    A mirror may hold an excerpt of a file: a SHA256SUMS beside it (lines of checksum and file name)
    then says what is expected of that mirror's files. A mirror is never written to. A file of the
    cache that is not what it should be is renamed and downloaded again.

    Raises:
        SourceError: there is no such source, FACTMIX_MIRROR names no folder, the file cannot be
            downloaded, or its checksum is not the expected one.
    """
    if name not in SOURCES:
        raise SourceError(
            f"there is no data file '{name}'; expected one of: {', '.join(sorted(SOURCES))}"
        )
    source = SOURCES[name]
    held = _in_mirror(source)
    if held:
        expected = _sums(held.parent).get(source.file, source.sha256)
        got = sha256(held)
        if got != expected:
            raise SourceError(
                f"{held}: expected SHA-256 {expected}; got {got}. The file was left as it is: it"
                " may be another version or incomplete; fetch it again, or take it out of the"
                " mirror"
            )
        return held
    path = cache() / source.file
    if path.is_file() and (got := sha256(path)) != source.sha256:
        print(
            f"{path}: expected SHA-256 {source.sha256}; got {got}. It was kept as"
            f" {_set_aside(path)}, and is downloaded again",
            file=sys.stderr,
        )
    if not path.is_file():
        _download(name, source, path)
        got = sha256(path)
        if got != source.sha256:
            raise SourceError(
                f"{name}: {source.url} gave another file: expected SHA-256 {source.sha256}; got"
                f" {got}. It was kept as {_set_aside(path)}. The download may have been damaged"
                " or answered by a proxy: look into that file, delete it and try again; if the"
                " authors have released a new version, compare it and change the checksum in"
                " sources.py"
            )
    return path


def locate(name: str) -> Path | None:
    """Where a file of `SOURCES` lies, unverified; None when `fetch` would have to download it."""
    held = _in_mirror(SOURCES[name])
    path = held or cache() / SOURCES[name].file
    return path if path.is_file() else None


@contextmanager
def open_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    """A file inside a zip archive, read in place: nothing of an archive is written to disk.

    Raises:
        SourceError: the file is no zip archive, or does not hold that member.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            if member not in opened.namelist():
                held = ", ".join(opened.namelist()) or "nothing"
                raise SourceError(f"{archive}: expected it to hold {member}; it holds {held}")
            with opened.open(member) as content:
                yield content
    except zipfile.BadZipFile as error:
        raise SourceError(f"{archive}: expected a zip archive: {error}") from error


def _in_mirror(source: Source) -> Path | None:
    mirror = os.environ.get("FACTMIX_MIRROR")
    if not mirror:
        return None
    if not Path(mirror).is_dir():
        raise SourceError(f"FACTMIX_MIRROR: expected a folder; got '{mirror}'")
    path = Path(mirror) / source.file
    return path if path.is_file() else None


def _sums(folder: Path) -> dict[str, str]:
    path = folder / "SHA256SUMS"
    if not path.is_file():
        return {}
    pairs = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())
    # sha256sum puts an asterisk before the names of files that it read as binary.
    return {
        pair[1].strip().removeprefix("*").removeprefix("./"): pair[0].lower()
        for pair in pairs
        if len(pair) == 2
    }


def _set_aside(path: Path) -> Path:
    """Renames a file after its own checksum, so that none that is set aside replaces another."""
    return path.rename(path.with_name(f"{path.name}.unexpected-{sha256(path)[:12]}"))


def _download(name: str, source: Source, path: Path) -> None:
    pooch.get_logger().setLevel("WARNING")
    try:
        # Without a checksum here: pooch would delete a file that differs.
        pooch.retrieve(
            source.url, None, fname=path.name, path=path.parent, downloader=_resume_into(path)
        )
    except (requests.RequestException, ValueError) as error:
        unanswered = isinstance(error, requests.ConnectionError)
        reason = "there is no connection to the server" if unanswered else error
        raise SourceError(
            f"{name}: {source.url} could not be downloaded: {reason}. What has arrived is kept and"
            f" continued next time. Check the network, or put {source.file} into a folder and name"
            " it in FACTMIX_MIRROR"
        ) from error
    except OSError as error:
        raise SourceError(
            f"{name}: {path} could not be written: {error}. Free some space, or name a folder that"
            " can be written to in FACTMIX_CACHE"
        ) from error


def _resume_into(path: Path) -> Callable[[str, str, object], None]:
    """A downloader for pooch with a progress bar, which goes on where an earlier one stopped."""
    part = path.with_name(f"{path.name}.part")

    def download(url: str, output_file: str, _: object) -> None:
        there = part.stat().st_size if part.is_file() else 0
        # As it is: a range of a compressed answer is none of the file.
        wanted = {"Accept-Encoding": "identity"}
        if there:
            wanted["Range"] = f"bytes={there}-"
        with requests.get(url, headers=wanted, stream=True, timeout=TIMEOUT) as answer:
            # Out of range: all of it had arrived before, and the checksum will tell.
            if answer.status_code != requests.codes.requested_range_not_satisfiable:
                answer.raise_for_status()
                resumed = answer.status_code == requests.codes.partial_content
                _receive(answer, part, there if resumed else 0)
        part.replace(output_file)

    return download


def _receive(answer: requests.Response, part: Path, there: int) -> None:
    """Appends what a server sends to the `there` bytes that have arrived before."""
    length = answer.headers.get("Content-Length")
    bar = tqdm(
        desc=part.stem,
        total=there + int(length) if length else None,
        initial=there,
        unit="B",
        unit_scale=True,
        disable=None,
    )
    with bar, part.open("ab" if there else "wb") as file:
        for chunk in answer.iter_content(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
