"""Downloads that survive cut connections and kills, and check what came before anybody reads it."""

import hashlib
import http.client
import ipaddress
import random
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

from reprolm.errors import DISK, Exit, ReprolmError, refuse
from reprolm.progress import Progress
from reprolm.store import file_sha256, locked, patiently

CHUNK_BYTES = 1 << 18
TRIES = 5
TIMEOUT_SECONDS = 30.0
LARGEST_BYTES = 1 << 38
SHOWN_BYTES = 60
PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Wanted:
    """A file of the web and what is known of it beforehand."""

    address: str
    bytes: int | None
    sha256: str | None


class Cut(Exception):  # noqa: N818 - no error yet: another try follows
    """A transfer ended early."""


def shown_url(address: str) -> str:
    """An address without credentials and query, which may hold a token."""
    parts = urllib.parse.urlsplit(address)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _inside(address: str) -> bool:
    """Whether a name stands for this machine or for its own network; one that nobody knows does not."""
    try:
        found = socket.getaddrinfo(urllib.parse.urlsplit(address).hostname, None)
    except (OSError, ValueError):
        return False
    return not all(ipaddress.ip_address(str(each[4][0]).partition("%")[0]).is_global for each in found)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to the web only, never from https to http, nor from the web into the own network."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: http.client.HTTPMessage) -> Any:
        target = urllib.parse.urljoin(req.full_url, headers.get("Location", ""))
        scheme = urllib.parse.urlsplit(target).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise refuse(
                shown_url(req.full_url),
                "redirects away from the web",
                got=scheme,
                want=req.type,
                exit=Exit.SECURITY,
            )
        if _inside(target) and not _inside(req.full_url):
            what, want = "redirects into the own network", "an address of the web"
            raise refuse(shown_url(req.full_url), what, got=shown_url(target), want=want, exit=Exit.SECURITY)
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener() -> urllib.request.OpenerDirector:
    # not `build_opener`, which reads file:, ftp: and data: too
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        _Redirects,
    ):
        opener.add_handler(handler())
    return opener


class _Part:
    """What has come so far, and the validator under which the rest may be asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._validator = path.with_suffix(".validator")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def headers(self) -> dict[str, str]:
        """Asks for the rest, if it is still the same file; else for the whole."""
        if not self.size() or not self._validator.is_file():
            return {}
        return {"Range": f"bytes={self.size()}-", "If-Range": self._validator.read_text("latin-1")}

    def restart(self, headers: http.client.HTTPMessage) -> None:
        """Empties the file; a weak tag does not promise the same bytes, and is not kept."""
        self.remove()
        tag = headers.get("ETag", "")
        validator = tag if tag.startswith('"') else headers.get("Last-Modified", "")
        if validator:
            self._validator.write_text(validator, "latin-1")
        self.path.touch()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._validator.unlink(missing_ok=True)


def download(wanted: Wanted, cache: Path, sleep: Sleep = time.sleep) -> Path:
    """The checked file, in `cache`; a pinned one that is there already is not asked for again.

    Raises:
        ReprolmError: other bytes than wanted came (exit 76), a redirect leaves the web (77), or the server
            refuses or cannot be reached in several tries (69).
    """
    key = hashlib.sha256(wanted.address.encode()).hexdigest()
    done, part = cache / f"{key}.done", _Part(cache / f"{key}.part")
    with locked(cache, wait=patiently):
        if wanted.sha256 and done.is_file() and file_sha256(done) == wanted.sha256:
            return done
        with Progress("download", wanted.bytes, "bytes", done=part.size()) as progress:
            _transfer_all(wanted, part, progress, sleep)
        try:
            check(wanted, part.path)
        except ReprolmError:
            part.remove()
            raise
        part.path.replace(done)
        part.remove()
    return done


def _transfer_all(wanted: Wanted, part: _Part, progress: Progress, sleep: Sleep) -> None:
    """Tries until the whole is there; a try that brought something gives the next ones anew."""
    left, reason = TRIES, ""
    while left:
        before = part.size()
        try:
            return _transfer(wanted, part, progress)
        except (Cut, OSError, http.client.HTTPException) as error:
            reason = _reason(error)
        left = TRIES - 1 if part.size() >= before + CHUNK_BYTES else left - 1
        if left:
            # jitter, so that many clients do not come back together
            sleep(2.0 ** (TRIES - left) * random.uniform(0.5, 1.0))  # noqa: S311
    raise refuse(
        shown_url(wanted.address),
        f"cannot be downloaded: gave up after {TRIES} tries; what came is kept",
        got=reason,
        exit=Exit.NETWORK,
    )


def _reason(error: BaseException) -> str:
    """The cause in a few words; a refusal that will not pass ends the tries."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        text = f"HTTP status {error.code}"
        if error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in PASSING:
            raise refuse(shown_url(error.url), "the server refuses", got=text, exit=Exit.NETWORK) from None
        return text
    if isinstance(error, OSError) and error.errno in DISK:
        raise error
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause) or type(cause).__name__


def _transfer(wanted: Wanted, part: _Part, progress: Progress) -> None:
    headers = {"User-Agent": "reprolm", "Accept-Encoding": "identity", **part.headers()}
    request = urllib.request.Request(wanted.address, headers=headers)  # noqa: S310 - the opener knows http only
    try:
        response = _opener().open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        part.remove()
        raise Cut("the rest is no longer offered") from error
    with response:
        total = _prepare(wanted, response, part)
        with part.path.open("ab") as file:
            _receive(response, file, wanted.bytes or LARGEST_BYTES, progress)
        if total is not None and part.size() < total:
            raise Cut(f"cut off after {part.size()} of {total} bytes")


def _prepare(wanted: Wanted, response: Any, part: _Part) -> int | None:
    """Makes the part fit what the server is about to send; returns the size of the whole, if it is told."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise refuse(
            shown_url(wanted.address),
            "is sent encoded",
            got=encoding,
            want="plain bytes",
            exit=Exit.INTEGRITY,
        )
    length = response.headers.get("Content-Length")
    remaining = int(length) if length and length.isdecimal() else None
    have = part.size()
    resumed = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    if response.status == HTTPStatus.PARTIAL_CONTENT and not resumed:
        part.remove()
        raise Cut("another range was sent than was asked for")
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        part.restart(response.headers)
        have = 0
    return None if remaining is None else have + remaining


def _receive(response: Any, file: IO[bytes], most: int, progress: Progress) -> None:
    """Appends what comes; a byte more than `most` is enough to know that it is another file."""
    room = most + 1 - file.tell()
    while room > 0:
        chunk = response.read(min(CHUNK_BYTES, room))
        if not chunk:
            return
        file.write(chunk)
        room -= len(chunk)
        progress.advance(len(chunk))


def check(wanted: Wanted, path: Path) -> None:
    """Refuses a file of another size or with other bytes than wanted, and an HTML page that nobody pinned.

    Raises:
        ReprolmError: exit 76, with the address, what was found and what is wanted.
    """
    where, size, found = shown_url(wanted.address), path.stat().st_size, file_sha256(path)
    with path.open("rb") as file:
        head = file.read(SHOWN_BYTES)
    html = head.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    if html and found != wanted.sha256:
        raise refuse(
            where,
            f"sent an HTML page instead of the corpus, with sha256 {found}",
            got=head.decode("utf-8", "replace"),
            want=wanted.sha256 or "a text",
            exit=Exit.INTEGRITY,
        )
    if size != (wanted.bytes or size):
        raise refuse(
            where, f"has another size, and sha256 {found}", got=f"{size} bytes",
            want=f"{wanted.bytes} bytes, sha256 {wanted.sha256}", exit=Exit.INTEGRITY,
        )  # fmt: skip
    if found != (wanted.sha256 or found):
        raise refuse(where, "has another sha256", got=found, want=wanted.sha256 or "", exit=Exit.INTEGRITY)
