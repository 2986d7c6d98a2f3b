"""`dlcli data`: listing, download and verification with a local HTTP server."""

import hashlib
import http.server
import json
import threading

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app

CONTENT = b"some data\n" * 5000


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        cut = self.path == "/cut"
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if cut else CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def data(tmp_path, monkeypatch, address):
    """A function that writes the YAML of a user's data set and returns the path of its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path / "data"))
    (tmp_path / "conf/data").mkdir(parents=True)

    def make(place="/whole", content=CONTENT):
        sha, size = hashlib.sha256(content).hexdigest(), len(content)
        (tmp_path / "conf/data/mine.yaml").write_text(
            "# My data\nname: mine\nlicence: mine\nfiles:\n"
            f"  - {{path: part.txt, url: '{address}{place}', sha256: {sha}, bytes: {size}}}\n"
        )
        return tmp_path / "data/mine/part.txt"

    return make


def dlcli(*words):
    return CliRunner().invoke(app, ["data", *words])


def test_fetch_downloads_and_verifies(data):
    path = data()
    result = dlcli("fetch", "mine")
    assert result.exit_code == 0, result.stderr
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["part.txt"]
    assert dlcli("verify", "mine").exit_code == 0


def test_fetch_skips_valid_files(data):
    path = data("/none")
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    result = dlcli("fetch", "mine")
    assert result.exit_code == 0
    assert "ok" in result.stderr


def test_fetch_replaces_damaged_files(data):
    path = data()
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1])
    assert dlcli("verify", "mine").exit_code == 2
    assert dlcli("fetch", "mine").exit_code == 0
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("place", "content"), [("/whole", b"others\n" * 5), ("/cut", CONTENT), ("/none", CONTENT)],
    ids=["wrong checksum", "interrupted", "not there"],
)  # fmt: skip
def test_fetch_discards_invalid_downloads(data, place, content):
    path = data(place, content)
    result = dlcli("fetch", "mine")
    assert result.exit_code == 2, result.exception
    assert 1 <= len(result.stderr.splitlines()) <= 5
    assert str(path) in "".join(result.stderr.split())
    assert list(path.parent.iterdir()) == []


def test_fetch_keeps_the_old_file_if_it_fails(data):
    path = data("/cut")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"older")
    assert dlcli("fetch", "mine").exit_code == 2
    assert path.read_bytes() == b"older"


def test_data_list_reports_downloaded_files(data):
    path = data()
    assert json.loads(dlcli("list", "--json").stdout)["sets"]["mine"]["here"] == "0 of 1 files"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    facts = json.loads(dlcli("list", "--json").stdout)
    assert facts["sets"]["mine"] | {"megabytes": 0} == {
        "here": "yes",
        "megabytes": 0,
        "licence": "mine",
        "what": "My data",
    }
    assert facts["folder"] == str(path.parents[1])
    text = dlcli("list").stdout
    assert str(path.parents[1]) in text
    assert all(name in text for name in ("mine", "mnist", "poly-music", "ptb"))


def test_verify_all_skips_missing_data_sets(data):
    path = data()
    assert dlcli("verify").exit_code == 0
    assert dlcli("verify", "mine").exit_code == 2
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1] + b"x")
    result = dlcli("verify")
    assert result.exit_code == 2
    assert "dlcli data fetch mine" in result.stderr
    assert "SHA-256" in result.stdout


def test_fetch_rejects_invalid_yaml(data, tmp_path):
    data()
    for text in ("name: mine\n", "files: [{path: a}]\n", "files: 3\n", "[1", "files: [1]\n"):
        (tmp_path / "conf/data/mine.yaml").write_text(text)
        result = dlcli("fetch", "mine")
        assert result.exit_code == 2, (text, result.exception)
        assert 1 <= len(result.stderr.splitlines()) <= 5


def test_verify_accepts_the_published_files(real_data):
    for name, file in (("mnist", "t10k-labels-idx1-ubyte.gz"), ("ptb", "ptb.test.txt")):
        real_data(name, file)
        result = dlcli("verify", name)
        assert result.exit_code == 0, result.stdout
