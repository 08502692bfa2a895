"""Archives like the FEVER Wikipedia dump, of a few invented pages."""

import json
import zipfile
from pathlib import Path

PAGES = {
    "": [],
    "Harrow_-LRB-town-RRB-": ["Harrow is a town on the Vell .", "", "It has a library ."],
    "Vell": ["The Vell is a river .", "It rises in the Tallow hills ."],
    "Cafe\u0301_Oakmere": ["Caf\u00e9 Oakmere is a restaurant -LRB- since 1931 -RRB- ."],
}


def row(page: str, sentences: list[str]) -> str:
    lines = "\n".join(f"{i}\t{text}\tlink\tlink" for i, text in enumerate(sentences))
    return json.dumps({"id": page, "text": " ".join(sentences), "lines": lines})


def write_dump(folder: Path, *files: dict[str, list[str]]) -> Path:
    """Writes an archive with one file per given dictionary of pages."""
    path = folder / "wiki-pages.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("wiki-pages/", "")
        for number, pages in enumerate(files, start=1):
            text = "".join(f"{row(page, texts)}\n" for page, texts in pages.items())
            archive.writestr(f"wiki-pages/wiki-{number:03}.jsonl", text)
    return path
