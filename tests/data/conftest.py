"""A small web server on 127.0.0.1 that misbehaves on demand, and cards that point to it."""

from __future__ import annotations

import hashlib
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from cmslabs.data import catalog
from cmslabs.data.download import cache_folder

# The tests of this folder share what makes files for them.
sys.path[:0] = [str(Path(__file__).parent)]


class WebServer(ThreadingHTTPServer):
    """Serves `files` with byte ranges and ETags.

    ``mishaps[path]`` is a list of what to do with the next requests for this path: ``500`` (or another
    status), ``("cut", n)`` to close the line after n bytes; when the list is empty all is well.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.mishaps: dict[str, list] = defaultdict(list)
        self.requests: list[tuple[str, str | None, str | None]] = []
        self.bytes_sent: Counter = Counter()
        self.full_downloads: Counter = Counter()
        self.ranges, self.etags, self.delay = True, True, 0.0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def put(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return self.url(path)


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        """Silent."""

    def do_GET(self):
        server, path = self.server, self.path
        server.requests.append((path, self.headers["Range"], self.headers["If-Range"]))
        mishap = server.mishaps[path].pop(0) if server.mishaps[path] else None
        content = server.files.get(path)
        if isinstance(mishap, int) or content is None:
            self.send_error(mishap or 404)
            return
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        current = self.headers["If-Range"] in (None, etag)
        start = int(wanted[1]) if wanted and server.ranges and current else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        if server.etags:
            self.send_header("ETag", etag)
        self.end_headers()
        time.sleep(server.delay)
        end = len(content) if mishap is None else start + mishap[1]
        self.wfile.write(content[start:end])
        server.bytes_sent[path] += len(content[start:end])
        server.full_downloads[path] += start == 0 and end == len(content)
        self.close_connection = True


@pytest.fixture
def web_server():
    server = WebServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def make_toy_card(tmp_path, monkeypatch):
    """Write a card with one file (or several) and make it the only one."""
    folder = tmp_path / "cards"
    folder.mkdir()
    monkeypatch.setattr(catalog, "CARDS", folder)

    def make(*urls: str, name: str = "toy", files: list | None = None, **facts) -> Path:
        entry = {"name": "events.bin", "urls": list(urls), "source_seen": "this test"} | facts
        card = {
            "name": name,
            "title": "Toy",
            "kind": "real",
            "content": "-",
            "selection": "-",
            "files": files or [entry],
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(card))
        return cache_folder() / name / entry["name"]

    return make
