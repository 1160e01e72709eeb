"""Downloads from a server that breaks connections, lies, and offers archives that want out of their folder."""

import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from layouts import simple_coco, voc_xml, write_voc

from bench.data.converting.prepare import prepare_splits
from bench.data.fetching import official
from bench.data.fetching.fetch import fetch
from bench.data.fetching.official import Archive
from bench.data.fetching.unpack import unpack
from bench.errors import UserError


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; answers first as `plan` says: "break" (half way), an error code, "ignore range"."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.plan: list[str] = []
        self.requests: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content = self.server.files.get(self.path)
        wanted = self.headers.get("Range", "")
        self.server.requests.append((self.path, wanted))
        step = self.server.plan.pop(0) if self.server.plan else ""
        if content is None or step.isdigit():
            self.send_error(int(step or 404))
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and step != "ignore range" else 0
        if start >= len(content) > 0 and wanted:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = start + (len(content) - start) // 2 if step == "break" else len(content)
        self.wfile.write(content[start:stop])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


def offer(server: Server, monkeypatch: pytest.MonkeyPatch, name: str, contents: dict[str, bytes]) -> None:
    """Puts archives of the official layout, with their true hashes, behind the server."""
    archives = []
    for path, content in contents.items():
        server.files[f"/{path}"] = content
        archives.append(Archive(server.address, path, f"sha1:{hashlib.sha1(content).hexdigest()}"))
    monkeypatch.setitem(official.ARCHIVES, name, tuple(archives))


def zipped(root: Path, *parts: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(file for part in parts for file in (root / part).rglob("*") if file.is_file()):
            archive.write(path, path.relative_to(root))
    return buffer.getvalue()


def tarred(root: Path, part: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(root / part, part)
    return buffer.getvalue()


def coco_archives(tmp_path: Path) -> dict[str, bytes]:
    root = simple_coco(tmp_path / "made", count=12)
    return {"annotations/annotations.zip": zipped(root, "annotations"), "zips/val2017.zip": zipped(root, "val2017")}


def test_coco_is_fetched_once_and_prepared(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    offer(server, monkeypatch, "coco", coco_archives(tmp_path))
    root = fetch("coco", tmp_path / "coco")
    assert len(prepare_splits(root, tmp_path / "stores", workers=1)["val"]) == 12
    assert not list(root.rglob("*.zip*"))
    count = len(server.requests)
    assert fetch("coco", tmp_path / "coco") == root
    assert len(server.requests) == count


def test_voc_is_fetched_from_a_mirror(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    xml = voc_xml((50, 40), [{"name": "dog", "box": (1, 1, 5, 5)}])
    write_voc(tmp_path / "made/VOCdevkit/VOC2007", {"a": xml, "b": xml}, {"trainval": ["a"], "test": ["b"]})
    offer(server, monkeypatch, "voc", {"VOCtrainval.tar": tarred(tmp_path / "made", "VOCdevkit")})
    elsewhere = tuple(Archive("http://127.0.0.1:9", item.path, item.hash) for item in official.ARCHIVES["voc"])
    monkeypatch.setitem(official.ARCHIVES, "voc", elsewhere)
    root = fetch("voc", tmp_path / "voc", mirror=server.address + "/")
    assert set(prepare_splits(root, tmp_path / "stores", workers=1)) == {"train", "val"}


def test_a_broken_connection_is_gone_on_with(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    archives = coco_archives(tmp_path)
    offer(server, monkeypatch, "coco", archives)
    server.plan = ["break", "503", "break", "", "ignore range"]
    fetch("coco", tmp_path / "coco", pause=0.01)
    size = len(archives["annotations/annotations.zip"])
    ranges = [wanted for path, wanted in server.requests if path.startswith("/annotations")]
    assert ranges == ["", f"bytes={size // 2}-", f"bytes={size // 2}-", f"bytes={size // 2 + (size - size // 2) // 2}-"]


def test_a_part_from_an_earlier_call_is_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    offer(server, monkeypatch, "coco", coco_archives(tmp_path))
    server.plan = ["break", *["500"] * 5]
    with pytest.raises(UserError, match=r"the download fails.*goes on from what is there"):
        fetch("coco", tmp_path / "coco", pause=0.01)
    server.requests.clear()
    fetch("coco", tmp_path / "coco")
    assert server.requests[0][1].startswith("bytes=")


def test_a_whole_part_needs_no_bytes(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    archives = coco_archives(tmp_path)
    offer(server, monkeypatch, "coco", archives)
    (tmp_path / "coco/.downloads").mkdir(parents=True)
    (tmp_path / "coco/.downloads/val2017.zip.part").write_bytes(archives["zips/val2017.zip"])
    (tmp_path / "coco/.downloads/annotations.zip.part").write_bytes(b"x" * 10**7)
    fetch("coco", tmp_path / "coco", pause=0.01)
    assert (tmp_path / "coco/val2017/0.jpg").exists()


def test_a_wrong_hash_is_refused_and_removed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    offer(server, monkeypatch, "coco", coco_archives(tmp_path))
    server.files["/zips/val2017.zip"] += b"!"
    with pytest.raises(UserError, match="another hash than the official file"):
        fetch("coco", tmp_path / "coco")
    assert not (tmp_path / "coco/val2017").exists()
    assert not list((tmp_path / "coco").rglob("val2017.zip*"))


def test_no_server_and_no_such_file_are_one_line(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    offer(server, monkeypatch, "coco", coco_archives(tmp_path))
    server.files.clear()
    with pytest.raises(UserError, match="the server answers 404"):
        fetch("coco", tmp_path / "coco")
    with pytest.raises(UserError, match="the download fails"):
        fetch("coco", tmp_path / "coco", mirror="http://127.0.0.1:9", pause=0.01)
    with pytest.raises(UserError, match="no download is known for 'kitti'"):
        fetch("kitti", tmp_path)


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/../../evil.txt", "a\\..\\..\\evil.txt"])
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_an_archive_that_leads_out_writes_nothing(tmp_path: Path, name: str, form: str):
    archive = tmp_path / f"bad.{form}"
    if form == "zip":
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("good.txt", "good")
            opened.writestr(name, "evil")
    else:
        with tarfile.open(archive, "w") as opened:
            for member in ("good.txt", name):
                info = tarfile.TarInfo(member)
                info.size = 4
                opened.addfile(info, io.BytesIO(b"evil"))
    with pytest.raises(UserError, match="unsafe archive"):
        unpack(archive, tmp_path / "inner" / "out")
    assert not list(tmp_path.rglob("*.txt"))


def test_links_devices_and_bombs_are_refused(tmp_path: Path):
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        with tarfile.open(tmp_path / "bad.tar", "w") as opened:
            opened.addfile(info)
        with pytest.raises(UserError, match="a link or a device"):
            unpack(tmp_path / "bad.tar", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as opened:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match="is a link"):
        unpack(tmp_path / "link.zip", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros", b"\0" * 20 * 2**20)
    with pytest.raises(UserError, match="beyond all measure"):
        unpack(tmp_path / "bomb.zip", tmp_path / "out")
    (tmp_path / "cut.tar").write_bytes(b"garbage" * 100)
    with pytest.raises(UserError, match="damaged archive"):
        unpack(tmp_path / "cut.tar", tmp_path / "out")
