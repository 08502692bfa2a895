"""Public data files: where they come from, and that they are the files they should be.

The project does not contain them. A file is taken from the folder that FACTMIX_MIRROR names, if it
is there, and otherwise downloaded once into a cache (FACTMIX_CACHE, or the user's cache folder).
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pooch


class SourceError(RuntimeError):
    """A data file could not be had, or is not the expected one."""


@dataclass(frozen=True)
class Source:
    """One data file.

    Attributes:
        url: its address, at a fixed commit.
        sha256: of its content, in hexadecimal.
        licence: under which its authors give it away.
    """

    url: str
    sha256: str
    licence: str

    @property
    def file(self) -> str:
        return self.url.rsplit("/", 1)[1]


SOURCES = {
    "vitaminc_real": Source(
        url="https://raw.githubusercontent.com/TalSchuster/talschuster.github.io/"
        "37794b13a385da92147a407dc670f0af236188cd/static/vitaminc_real.zip",
        sha256="04cce67d000a61fd83885d68924210dd08f3d0ac91fde9f5a4b0bfb768339418",
        licence="CC BY-SA 3.0",
    ),
    "climate_fever": Source(
        url="https://raw.githubusercontent.com/tdiggelm/climate-fever-dataset/"
        "336f0a46c98920a6f40926385ce71ba877a7b863/dataset/climate-fever.jsonl",
        sha256="8a4b9032d861be482ffb49dddfd283ffa6089e654f1e968040011882c5eb6e0b",
        licence="none stated by its authors; the evidence is from Wikipedia (CC BY-SA 3.0)",
    ),
}


def fetch(name: str) -> Path:
    """A local copy of a file of `SOURCES`, its checksum verified.

    A mirror may hold an excerpt of a file: a SHA256SUMS beside it (lines of checksum and file name)
    then says what is expected of that mirror's files.

    Raises:
        SourceError: FACTMIX_MIRROR names no folder, the file cannot be downloaded, or a checksum
            is not the expected one.
    """
    source = SOURCES[name]
    mirror = os.environ.get("FACTMIX_MIRROR")
    if mirror:
        folder = Path(mirror)
        if not folder.is_dir():
            raise SourceError(f"FACTMIX_MIRROR: expected a folder; got '{mirror}'")
        path = folder / source.file
        if path.is_file():
            _verify(path, _sums(folder).get(source.file, source.sha256))
            return path
    return _download(name, source)


def _sums(folder: Path) -> dict[str, str]:
    path = folder / "SHA256SUMS"
    if not path.is_file():
        return {}
    pairs = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())
    # sha256sum puts an asterisk before the names of files that it read as binary.
    return {pair[1].strip().removeprefix("*"): pair[0] for pair in pairs if len(pair) == 2}


def _verify(path: Path, expected: str) -> None:
    with path.open("rb") as content:
        got = hashlib.file_digest(content, "sha256").hexdigest()
    if got != expected:
        raise SourceError(
            f"{path}: expected SHA-256 {expected}; got {got}. The file was left as it is: it may be"
            " another version or incomplete; fetch it again, or take it out of the mirror"
        )


def _download(name: str, source: Source) -> Path:
    cache = os.environ.get("FACTMIX_CACHE") or pooch.os_cache("factmix")
    try:
        return Path(pooch.retrieve(source.url, source.sha256, fname=source.file, path=cache))
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{name}: {source.url} could not be downloaded: {error}. Nothing was kept."
            f" Check the network, or put {source.file} into a folder and name it in FACTMIX_MIRROR"
        ) from error
