import hashlib
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from factmix.data.fetch import SourceError, fetch, locate, open_member, opened
from factmix.data.sources import SOURCES, Source
from factmix.study.paths import FolderError

CONTENT = b"one line\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def served(monkeypatch, tmp_path):
    """A source named "thing" whose address is a local server; gives the list of requests to it."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            assert self.headers["Accept-Encoding"] == "identity"
            requests.append(f"{self.path} {wanted}" if wanted else self.path)
            begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if self.path not in ("/thing.txt", "/whole.txt"):
                self.send_response(404)
                begin = len(CONTENT)
            elif self.path == "/whole.txt" or not begin:
                self.send_response(200)
                begin = 0
            else:
                self.send_response(206 if begin < len(CONTENT) else 416)
            self.end_headers()
            self.wfile.write(CONTENT[begin:])

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setitem(SOURCES, "thing", Source(f"{base}/thing.txt", SHA256, "CC0"))
    monkeypatch.setitem(SOURCES, "whole", Source(f"{base}/whole.txt", SHA256, "CC0"))
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


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(SourceError, match="no data file 'fever'; expected one of: climate_fever"):
        fetch("fever")


def test_a_file_is_downloaded_once(served, tmp_path):
    path = fetch("thing")
    assert path == tmp_path / "cache" / "thing.txt"
    assert path.read_bytes() == CONTENT
    assert fetch("thing") == path
    assert served == ["/thing.txt"]


def test_a_changed_file_in_the_cache_is_set_aside_and_downloaded_again(served, tmp_path, capsys):
    fetch("thing").write_text("changed")
    assert fetch("thing").read_bytes() == CONTENT
    assert len(served) == 2
    got = hashlib.sha256(b"changed").hexdigest()
    aside = tmp_path / "cache" / f"thing.txt.unexpected-{got[:12]}"
    assert aside.read_text() == "changed"
    said = capsys.readouterr().err
    assert f"expected SHA-256 {SHA256}; got {got}. It was renamed to {aside}" in said


def test_a_server_that_does_not_answer_is_said_in_a_few_words(served, monkeypatch):
    monkeypatch.setitem(SOURCES, "thing", Source("http://127.0.0.1:1/thing.txt", SHA256, "CC0"))
    with pytest.raises(SourceError, match=r"thing\.txt cannot be downloaded: there is no conn"):
        fetch("thing")


def test_a_cache_that_cannot_be_written_is_said_to_be_so(served, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACTMIX_CACHE", str(tmp_path / "file"))
    with pytest.raises(SourceError, match=r"thing: .*thing\.txt cannot be written: .*CACHE"):
        fetch("thing")


def test_a_download_of_another_content_is_kept_aside_and_the_error_says_all(served, tmp_path):
    with pytest.raises(SourceError) as caught:
        fetch("other")
    aside = tmp_path / "cache" / f"thing.txt.unexpected-{SHA256[:12]}"
    for part in ("other: http", "0" * 64, SHA256, str(aside), "delete it and try again"):
        assert part in str(caught.value)
    left = set((tmp_path / "cache").iterdir())
    assert left == {aside, tmp_path / "cache" / "thing.txt.lock"}
    assert aside.read_bytes() == CONTENT


def test_an_interrupted_download_goes_on_where_it_stopped(served, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thing.txt.part").write_bytes(CONTENT[:4])
    assert fetch("thing").read_bytes() == CONTENT
    assert served == ["/thing.txt bytes=4-"]


def test_a_server_that_cannot_resume_begins_again(served, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "whole.txt.part").write_bytes(b"xxxx")
    assert fetch("whole").read_bytes() == CONTENT


def test_a_download_that_had_arrived_whole_is_not_repeated(served, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thing.txt.part").write_bytes(CONTENT)
    assert fetch("thing").read_bytes() == CONTENT


def test_a_file_is_located_without_reading_it(served, folder, tmp_path):
    assert locate("thing") is None
    fetch("thing")
    assert locate("thing") == tmp_path / "cache" / "thing.txt"
    (folder / "thing.txt").write_text("an excerpt")
    assert locate("thing") == folder / "thing.txt"


def test_a_member_is_read_in_place_whatever_its_name(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../escaped.txt", "content")
    with opened(archive) as found, open_member(found, "../escaped.txt") as content:
        assert content.read() == b"content"
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zip"]
    assert not (tmp_path.parent / "escaped.txt").exists()


@pytest.mark.parametrize(
    ("offset", "number", "problem"),
    [
        (10, 9, "compression"),  # deflate64, as Windows packs large files
        (10, 93, "compression"),  # zstd
        (8, 1, "encrypted, password required"),
    ],
)
def test_a_member_that_cannot_be_read_is_one_message(tmp_path, offset, number, problem):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("claims.jsonl", "{}" * 100)
    raw = bytearray(archive.read_bytes())
    central = raw.index(b"PK\x01\x02")
    for field in (offset - 2, central + offset):  # in the member's own header, and in the directory
        raw[field : field + 2] = number.to_bytes(2, "little")
    archive.write_bytes(raw)
    expected = rf"a\.zip: claims\.jsonl cannot be read: .*{problem}.* Expected a file without pass"
    with (
        pytest.raises(SourceError, match=expected),
        opened(archive) as found,
        open_member(found, "claims.jsonl"),
    ):
        pass


def test_a_damaged_member_is_one_message(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("claims.jsonl", "{}" * 100)
    raw = archive.read_bytes()
    begin = raw.index(b"claims.jsonl") + len("claims.jsonl")
    archive.write_bytes(raw[:begin] + b"\xff\xff" + raw[begin + 2 :])
    with (
        pytest.raises(SourceError, match=r"a\.zip: expected a zip archive: Error -3"),
        opened(archive) as found,
        open_member(found, "claims.jsonl") as content,
    ):
        content.read()


def test_of_two_downloads_at_once_the_second_waits_for_the_first(served, tmp_path, capsys):
    import factmix.data.fetch as fetching

    receive, begun, goes_on = fetching._receive, threading.Event(), threading.Event()

    def slow(*arguments):
        begun.set()
        assert goes_on.wait(10)
        receive(*arguments)

    found = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fetching, "_receive", slow)
        both = [threading.Thread(target=lambda: found.append(fetch("thing"))) for _ in range(2)]
        both[0].start()
        assert begun.wait(10)
        both[1].start()
        for _ in range(100):
            if "waiting" in (said := capsys.readouterr().err):
                break
            time.sleep(0.02)
        goes_on.set()
        for each in both:
            each.join(10)
    path = tmp_path / "cache" / "thing.txt"
    assert said == f"another process is downloading {path}; waiting for it\n"
    assert found == [path, path] and path.read_bytes() == CONTENT
    assert served == ["/thing.txt"]


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


@pytest.mark.parametrize("mark", ["  ", " *", "  ./"])
def test_a_mirror_may_bring_its_own_checksums(served, folder, mark):
    (folder / "thing.txt").write_text("an excerpt")
    own = hashlib.sha256(b"an excerpt").hexdigest()
    (folder / "SHA256SUMS").write_text(f"{SHA256}{mark}another.txt\n{own}{mark}thing.txt\n")
    assert fetch("thing") == folder / "thing.txt"
    (folder / "thing.txt").write_bytes(CONTENT)
    with pytest.raises(SourceError, match=f"expected SHA-256 {own}"):
        fetch("thing")


@pytest.mark.parametrize(
    ("line", "encoding"),
    [
        ("{sum}  thing.txt\r\n", "utf-16"),
        ("{sum}  thing.txt\n", "utf-8-sig"),
        ("# sums\n\n{sum}  thing.txt", "utf-16-be"),
        ("MD5 (thing.txt) = 0123\nSHA256 (thing.txt) = {sum}\n", "utf-8"),
        ("SHA2-256(./thing.txt)= {sum}\n", "utf-8"),
    ],
)
def test_checksums_are_read_as_other_programs_write_them(served, folder, line, encoding):
    (folder / "thing.txt").write_text("an excerpt")
    own = hashlib.sha256(b"an excerpt").hexdigest()
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (folder / "SHA256SUMS").write_bytes((mark + line.format(sum=own.upper())).encode(encoding))
    assert fetch("thing") == folder / "thing.txt"


@pytest.mark.parametrize("content", [b"sums: none", "0" * 64 + "  thing.txt", b"\xff\xfe\x00"])
def test_checksums_that_cannot_be_read_are_one_message(served, folder, content):
    raw = content if isinstance(content, bytes) else content.encode("utf-16-le")
    (folder / "thing.txt").write_text("an excerpt")
    (folder / "SHA256SUMS").write_bytes(raw)
    with pytest.raises(SourceError, match=r"SHA256SUMS: expected lines of a SHA-256 and a file"):
        fetch("thing")


def test_a_mirror_that_is_no_folder_is_a_mistake(served, monkeypatch, tmp_path):
    monkeypatch.setenv("FACTMIX_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(SourceError, match=r"FACTMIX_MIRROR: expected a folder; got '.*nowhere'"):
        fetch("thing")


def test_a_user_without_a_home_folder_is_told_to_name_a_cache(served, monkeypatch):
    monkeypatch.setenv("FACTMIX_CACHE", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(FolderError, match=r"FACTMIX_CACHE: not set, .* home folder"):
        fetch("thing")


def test_folders_in_the_home_folder_may_be_written_with_a_tilde(served, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FACTMIX_CACHE", "~/cache")
    assert fetch("thing") == tmp_path / "cache" / "thing.txt"
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "thing.txt").write_bytes(CONTENT)
    monkeypatch.setenv("FACTMIX_MIRROR", "~/mirror")
    assert fetch("thing") == tmp_path / "mirror" / "thing.txt"
