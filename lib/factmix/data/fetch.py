"""Local copies of public data files, verified by checksum.

A file is taken from the folder in FACTMIX_MIRROR if it is there. Otherwise it is downloaded once
into a cache (FACTMIX_CACHE, or the user's cache folder).
"""

import codecs
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pooch
import requests
from tqdm import tqdm

from factmix.data.sources import SOURCES, Source
from factmix.study.files import in_turn, sha256
from factmix.study.paths import FolderError, folder_in

CHUNK = 2**20  # bytes
TIMEOUT = 60  # seconds without a response from a server


class SourceError(RuntimeError):
    """A data file cannot be downloaded or read, or its checksum is wrong."""


def cache() -> Path:
    """The folder for downloads, and for what is built from them.

    Raises:
        FolderError: FACTMIX_CACHE is not set, and the user has no home folder.
    """
    named = folder_in("FACTMIX_CACHE")
    if named:
        return named
    try:
        return Path(pooch.os_cache("factmix")).expanduser()
    except RuntimeError:
        raise FolderError(
            "FACTMIX_CACHE: not set, and this user has no home folder for downloads; set it to a"
            " folder that can be written to"
        ) from None


def fetch(name: str) -> Path:
    """The path of a local copy of a file of `SOURCES`, with a verified checksum.

    A mirror may hold an excerpt of a file; then a SHA256SUMS in the same folder (lines of checksum
    and file name) gives the expected checksums. A mirror is never written to. A cached file with a
    wrong checksum is renamed and downloaded again.

    Raises:
        SourceError: the source is unknown, FACTMIX_MIRROR is not a folder, the file cannot be
            downloaded, or its checksum is wrong.
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
                f"{held}: expected SHA-256 {expected}; got {got}. The file was left as it is. It"
                " may be another version or incomplete: download it again, or remove it from the"
                " mirror"
            )
        return held
    path = cache() / source.file
    if not (path.is_file() and sha256(path) == source.sha256):
        try:
            with in_turn(path, "downloading"):
                _renew(name, source, path)
        except OSError as error:
            raise SourceError(
                f"{name}: {path} cannot be written: {error}. Free some space, or set FACTMIX_CACHE"
                " to a writable folder"
            ) from error
    return path


def locate(name: str) -> Path | None:
    """The local path of a file of `SOURCES`, unverified; None if `fetch` would download it."""
    held = _in_mirror(SOURCES[name])
    path = held or cache() / SOURCES[name].file
    return path if path.is_file() else None


@contextmanager
def opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Opens a zip archive.

    Raises:
        SourceError: the file is not a zip archive, or is damaged.
    """
    try:
        with zipfile.ZipFile(archive) as found:
            yield found
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceError(f"{archive}: expected a zip archive: {error}") from error


@contextmanager
def open_member(archive: zipfile.ZipFile, member: str) -> Iterator[IO[bytes]]:
    """Opens a file inside a zip archive, without unpacking it to disk.

    Raises:
        SourceError: the archive does not hold that member, or in a form that cannot be read.
    """
    where = archive.filename
    if member not in archive.namelist():
        held = ", ".join(archive.namelist()) or "nothing"
        raise SourceError(f"{where}: expected it to hold {member}; it holds {held}")
    try:
        content = archive.open(member)
    except RuntimeError as error:  # also NotImplementedError
        raise SourceError(
            f"{where}: {member} cannot be read: {error}. Expected a file without password, stored"
            " or compressed with deflate: unpack the archive, and pack it again with: zip -r"
        ) from error
    with content:
        yield content


def _in_mirror(source: Source) -> Path | None:
    mirror = folder_in("FACTMIX_MIRROR")
    if mirror is None:
        return None
    if not mirror.is_dir():
        raise SourceError(f"FACTMIX_MIRROR: expected a folder; got '{mirror}'")
    path = mirror / source.file
    return path if path.is_file() else None


def _sums(folder: Path) -> dict[str, str]:
    """The checksums in a folder's SHA256SUMS, if it has one, by the name of the file."""
    path = folder / "SHA256SUMS"
    if not path.is_file():
        return {}
    raw = path.read_bytes()
    utf_16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as PowerShell writes it
    text = raw.decode("utf-16" if utf_16 else "utf-8-sig", errors="replace")
    found = [match for line in text.splitlines() for match in (_SUM.fullmatch(line.strip()),)]
    sums = {
        match["name"] or match["named"]: (match["sum"] or match["of"]).lower()
        for match in found
        if match
    }
    if text.strip() and not sums:
        raise SourceError(
            f"{path}: expected lines of a SHA-256 and a file name, as sha256sum writes them; found"
            " none"
        )
    return sums


# "SUM  name", an asterisk for binary mode, or as BSD and openssl write it "SHA256 (name) = SUM"
_SUM = re.compile(
    r"(?P<sum>[0-9a-f]{64})\s+\*?(?:\./)?(?P<name>.+)"
    r"|SHA2?-?256 ?\((?:\./)?(?P<named>.+)\) ?= ?(?P<of>[0-9a-f]{64})",
    re.IGNORECASE,
)


def _set_aside(path: Path) -> Path:
    """Renames a file after its checksum, so that it overwrites no file set aside before."""
    return path.rename(path.with_name(f"{path.name}.unexpected-{sha256(path)[:12]}"))


def _renew(name: str, source: Source, path: Path) -> None:
    """Downloads a file, unless another process did so meanwhile; sets aside an unexpected one."""
    if path.is_file():
        got = sha256(path)
        if got == source.sha256:
            return
        print(
            f"{path}: expected SHA-256 {source.sha256}; got {got}. It was renamed to"
            f" {_set_aside(path)}, and is downloaded again",
            file=sys.stderr,
        )
    _download(name, source, path)
    got = sha256(path)
    if got != source.sha256:
        raise SourceError(
            f"{name}: {source.url} gave another file: expected SHA-256 {source.sha256}; got"
            f" {got}. It was kept as {_set_aside(path)}. The download may be damaged, or come"
            " from a proxy: inspect that file, delete it and try again. If the authors have"
            " released a new version, compare it and change the checksum in sources.py"
        )


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
            f"{name}: {source.url} cannot be downloaded: {reason}. The partial download is kept and"
            f" resumes next time. Check the network, or put {source.file} into a folder and set"
            " FACTMIX_MIRROR to it"
        ) from error


def _resume_into(path: Path) -> Callable[[str, str, object], None]:
    """A downloader for pooch that resumes a partial download and shows a progress bar."""
    part = path.with_name(f"{path.name}.part")

    def download(url: str, output_file: str, _: object) -> None:
        there = part.stat().st_size if part.is_file() else 0
        # Uncompressed: a byte range of a compressed response is not a range of the file.
        wanted = {"Accept-Encoding": "identity"}
        if there:
            wanted["Range"] = f"bytes={there}-"
        with requests.get(url, headers=wanted, stream=True, timeout=TIMEOUT) as answer:
            # Out of range: the file was complete before; `fetch` verifies the checksum.
            if answer.status_code != requests.codes.requested_range_not_satisfiable:
                answer.raise_for_status()
                resumed = answer.status_code == requests.codes.partial_content
                _receive(answer, part, there if resumed else 0)
        part.replace(output_file)

    return download


def _receive(answer: requests.Response, part: Path, there: int) -> None:
    """Appends a response to the `there` bytes that were downloaded before."""
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
