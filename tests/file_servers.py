"""Servers of this machine that stand for file servers and object stores, and fail as a test tells them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from mmengine.fileio.io import backend_instances


class FarFolder(ThreadingHTTPServer):
    """Files of a folder over http, with ranges.

    Attributes:
        faults: What answers the next requests of a path instead: a status; ``"cut"``: half of the file, then nothing;
            an address: sent on to there.
        knows_ranges: False: every request is answered by the whole file.
        asked: Method, path and range of each request.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.faults: dict[str, list[int | str]] = {}
        self.knows_ranges = True
        self.asked: list[tuple[str, str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def at(self, name: str) -> str:
        return f"{self.address}/{quote(name)}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FarFolder

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        name = unquote(self.path.lstrip("/"))
        wanted = self.headers.get("Range")
        self.server.asked.append((self.command, name, wanted))
        fault = faults.pop(0) if (faults := self.server.faults.get(name)) else None
        if isinstance(fault, int):
            return self._answer(fault, b"", {"Retry-After": "0"})
        if fault is not None and fault != "cut":
            return self._answer(302, b"", {"Location": fault})
        path = self.server.folder / name
        if not path.is_file():
            return self._answer(404, b"")
        content, status, more = path.read_bytes(), 200, {"ETag": f'"{path.stat().st_mtime_ns}"'}
        if wanted and self.server.knows_ranges:
            start, end = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", wanted).groups())
            if start >= len(content):
                return self._answer(416, b"")
            end = min(end, len(content) - 1)
            more |= {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
            content, status = content[start : end + 1], 206
        return self._answer(status, content, more, cut=fault == "cut")

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True


@contextmanager
def far_folder(folder: Path) -> Iterator[FarFolder]:
    """A running server, stopped when the block ends."""
    with FarFolder(folder) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def s3_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], str]]:
    """Function that copies a folder into a bucket of moto's server and gives its address; credentials are made up."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: pip install 'mmdetpre[s3,tests]'")
    server_of = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'mmdetpre[tests]'")
    server = server_of.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        values = {"ACCESS_KEY_ID": "made-up", "SECRET_ACCESS_KEY": "made-up", "ENDPOINT_URL": f"http://{host}:{port}"}
        for name, value in {**values, "DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        backend_instances.clear()  # mmengine keeps backends by their arguments, and ours its client of another server
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")

        def put(folder: Path) -> str:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    key = f"{folder.name}/{path.relative_to(folder).as_posix()}"
                    client.put_object(Bucket="bucket", Key=key, Body=path.read_bytes())
            return f"s3://bucket/{folder.name}"

        yield put
    finally:
        server.stop()
