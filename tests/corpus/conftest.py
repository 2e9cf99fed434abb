"""A small corpus folder, and an HTTP server on loopback that can misbehave."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

BODY = b"".join(b"line %d of the corpus\n" % i for i in range(60_000))
TAG = '"the-one-version"'


class Handler(BaseHTTPRequestHandler):
    """Answers by path; the server counts the requests and keeps their Range headers."""

    server: "Server"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        name = self.path.partition("?")[0].strip("/").partition("/")[0].replace("-", "_")
        getattr(self, f"answer_{name}")(len(self.server.ranges))

    def send(self, body: bytes, status: int = 200, promised: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def rest(self, **headers: str) -> None:
        """The range that was asked for, if it was asked for under the right tag."""
        asked = self.headers.get("Range")
        if asked is None or self.headers.get("If-Range") != TAG:
            return self.send(BODY, ETag=TAG, **headers)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        span = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
        return self.send(BODY[start:], 206, ETag=TAG, Content_Range=span, **headers)

    def answer_whole(self, count: int) -> None:
        self.rest()

    def answer_cut(self, count: int) -> None:
        if count == 1:
            self.send(BODY[: len(BODY) // 3], promised=len(BODY), ETag=TAG)
        else:
            self.rest()

    def answer_changed(self, count: int) -> None:
        """The first version was another file: under another tag, the whole must be asked for again."""
        if count == 1:
            self.send(b"x" * 1000, promised=len(BODY), ETag='"older"')
        else:
            self.rest()

    def answer_range_ignored(self, count: int) -> None:
        self.send(BODY[: len(BODY) // 3] if count == 1 else BODY, promised=len(BODY), ETag=TAG)

    def answer_wrong_range(self, count: int) -> None:
        if count == 2:
            self.send(BODY[5:], 206, ETag=TAG, Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}")
        else:
            self.answer_cut(count)

    def answer_busy(self, count: int) -> None:
        if count <= 2:
            self.send(b"later", 503)
        else:
            self.rest()

    def answer_always_busy(self, count: int) -> None:
        self.send(b"later", 503)

    def answer_gone(self, count: int) -> None:
        self.send(b"no", 404)

    def answer_html(self, count: int) -> None:
        self.send(b"<!DOCTYPE html><title>Quota exceeded</title>")

    def answer_gzip(self, count: int) -> None:
        self.rest(Content_Encoding="gzip")

    def answer_moved(self, count: int) -> None:
        self.send(b"", 302, Location="/whole")

    def answer_to_file(self, count: int) -> None:
        self.send(b"", 302, Location="file:///etc/passwd")

    def answer_to_inside(self, count: int) -> None:
        self.send(b"", 302, Location="http://inside:1/secret")

    def answer_endless(self, count: int) -> None:
        self.send(BODY * 4)


class Server(ThreadingHTTPServer):
    """The server and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, *args: object) -> None:
        """A client that hangs up is part of the tests."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()
