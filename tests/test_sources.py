import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from factmix.sources import SOURCES, Source, SourceError, fetch

CONTENT = b"one line\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def served(monkeypatch, tmp_path):
    """A source named "thing" whose address is a local server; gives the list of requests to it."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_response(200 if self.path == "/thing.txt" else 404)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setitem(SOURCES, "thing", Source(f"{base}/thing.txt", SHA256, "CC0"))
    monkeypatch.setitem(SOURCES, "gone", Source(f"{base}/gone.txt", SHA256, "CC0"))
    monkeypatch.setitem(SOURCES, "other", Source(f"{base}/thing.txt", "0" * 64, "CC0"))
    monkeypatch.setenv("FACTMIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FACTMIX_MIRROR", raising=False)
    yield requests
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("FACTMIX_MIRROR", str(folder))
    return folder


def test_every_source_has_a_fixed_commit_a_checksum_and_a_licence():
    for source in SOURCES.values():
        assert re.search(r"/[0-9a-f]{40}/", source.url)
        assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
        assert source.licence


def test_a_file_is_downloaded_once(served, tmp_path):
    path = fetch("thing")
    assert path == tmp_path / "cache" / "thing.txt"
    assert path.read_bytes() == CONTENT
    assert fetch("thing") == path
    assert served == ["/thing.txt"]


def test_a_changed_file_in_the_cache_is_downloaded_again(served):
    fetch("thing").write_text("changed")
    assert fetch("thing").read_bytes() == CONTENT
    assert len(served) == 2


def test_a_download_of_another_content_is_refused_and_not_kept(served, tmp_path):
    with pytest.raises(SourceError, match=rf"other: http.*/thing\.txt .*{SHA256}"):
        fetch("other")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_failed_download_names_the_address_and_the_way_out(served):
    with pytest.raises(SourceError, match=r"gone: http.*/gone\.txt .*404.*FACTMIX_MIRROR"):
        fetch("gone")


def test_the_mirror_comes_before_the_network(served, folder):
    (folder / "thing.txt").write_bytes(CONTENT)
    assert fetch("thing") == folder / "thing.txt"
    assert served == []


def test_what_the_mirror_lacks_is_downloaded(served, folder, tmp_path):
    assert fetch("thing") == tmp_path / "cache" / "thing.txt"


def test_another_content_in_the_mirror_is_refused_and_left_alone(served, folder):
    (folder / "thing.txt").write_text("an excerpt")
    got = hashlib.sha256(b"an excerpt").hexdigest()
    with pytest.raises(SourceError, match=rf"thing\.txt: expected SHA-256 {SHA256}; got {got}"):
        fetch("thing")
    assert (folder / "thing.txt").read_text() == "an excerpt"
    assert served == []


@pytest.mark.parametrize("mark", ["  ", " *"])
def test_a_mirror_may_bring_its_own_checksums(served, folder, mark):
    (folder / "thing.txt").write_text("an excerpt")
    own = hashlib.sha256(b"an excerpt").hexdigest()
    (folder / "SHA256SUMS").write_text(f"{SHA256}{mark}another.txt\n{own}{mark}thing.txt\n")
    assert fetch("thing") == folder / "thing.txt"
    (folder / "thing.txt").write_bytes(CONTENT)
    with pytest.raises(SourceError, match=f"expected SHA-256 {own}"):
        fetch("thing")


def test_a_mirror_that_is_no_folder_is_a_mistake(served, monkeypatch, tmp_path):
    monkeypatch.setenv("FACTMIX_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(SourceError, match=r"FACTMIX_MIRROR: expected a folder; got '.*nowhere'"):
        fetch("thing")


@pytest.mark.parametrize("name", ["vitaminc_real", "climate_fever"])
def test_the_files_of_the_mirror_are_the_registered_ones(mirror, name):
    path = fetch(name)
    assert path.parent == mirror
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SOURCES[name].sha256
