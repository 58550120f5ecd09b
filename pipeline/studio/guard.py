"""Who may talk to the studio: everything that comes in passes here before anything else looks at it.

What each rule is against: the list of hosts, another site that has its own name point here (DNS rebinding); the token,
other users and programs of the machine; the origin, other sites open in the same browser (CSRF, and WebSockets, which
browsers let any site open); JSON only, forms that need nobody's leave; the limits, a disk or a memory filled up.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_TEXT_BYTES = 4 << 20
MOST_PICTURE_BYTES = 64 << 20
UPLOADS = "/api/stills"
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/tiff")


def policy(nonce: str | None = None) -> str:
    """What the page may load: its own files, pictures that it was sent, and styles that carry the nonce."""
    styles = "" if nonce is None else f" 'nonce-{nonce}'"
    return (
        f"default-src 'self'; style-src 'self'{styles}; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )


_HEADERS = {
    b"content-security-policy": policy().encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
# A page of ours, not a redirect: a link from another site has its cookie kept back all the way through redirects.
_HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
_ENTERED = f'{_HEAD}<meta http-equiv="refresh" content="0;url=/"><title>dreamreel</title>'.encode()
_SAFE = ("GET", "HEAD")


class TooLarge(Exception):
    """What was sent is longer than anything of its kind may be."""


@dataclass(frozen=True)
class Refusal:
    """Why somebody is not let in."""

    status: int
    error: str


class Guard:
    """Lets through what comes from the page, and nothing else; `hosts` are the names it is called by, with the port."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], token: str, cookie: str) -> None:
        self._app, self._hosts = app, frozenset(hosts)
        self._token, self._cookie = token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request = _Request(scope)
        send = _with_headers(send)
        if self._enters(request):
            cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            await _answer(send, 200, b"text/html; charset=utf-8", _ENTERED, {b"set-cookie": cookie.encode()})
            return
        refusal = self._refusal(request)
        if refusal is None:
            await self._app(scope, _limited(receive, request.most_bytes), send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            kind, body = _told(refusal, request.path)
            # Whoever was refused may go on sending: nobody reads it.
            await _answer(send, refusal.status, kind, body, {b"connection": b"close"})

    def _enters(self, request: _Request) -> bool:
        if request.host not in self._hosts or request.method not in _SAFE or request.path != "/":
            return False
        given = parse_qs(request.query).get("token", [])
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), self._token.encode())

    def _refusal(self, request: _Request) -> Refusal | None:
        """Why the request is refused, the first of all reasons."""
        if request.host not in self._hosts:
            return Refusal(421, f"this is dreamreel's studio, which goes by {' and '.join(sorted(self._hosts))}")
        if not self._knows(request):
            return Refusal(401, "open the link that `dreamreel studio` printed: it lets this browser in")
        if request.site not in ("", "same-origin", "none"):
            return Refusal(403, "another site may not use the studio")
        if request.method in _SAFE and not request.is_socket:
            return None
        if request.origin != f"http://{request.host}":
            return Refusal(403, "only the studio's own page may change something: the Origin is another")
        if request.is_socket:
            return None
        return _refused_body(request)

    def _knows(self, request: _Request) -> bool:
        given = request.cookies.get(self._cookie, "")
        return hmac.compare_digest(given.encode(), self._token.encode())


def _told(refusal: Refusal, path: str) -> tuple[bytes, bytes]:
    """What kind of words, and the words: a page where a person looks for one."""
    if path != "/":
        return b"application/json", json.dumps({"error": refusal.error}).encode()
    return b"text/html; charset=utf-8", f"{_HEAD}<title>dreamreel</title><p>{escape(refusal.error)}".encode()


def _refused_body(request: _Request) -> Refusal | None:
    allowed = PICTURES if request.is_upload else ("application/json",)
    if request.content_type not in allowed:
        return Refusal(415, f"is {request.content_type or 'nothing named'}, must be {' or '.join(allowed)}")
    if request.length is None and request.has_length:
        return Refusal(400, "Content-Length is no number")
    if request.length is not None and request.length > request.most_bytes:
        return Refusal(413, f"is {request.length / 1e6:.0f} MB, may be at most {request.most_bytes / 1e6:.0f} MB")
    return None


class _Request:
    """What is said of a request before its body. Of a header that stands twice, nothing is believed."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope.get("method", "GET")
        self.path: str = scope["path"]
        self.query: str = scope["query_string"].decode("latin-1")
        self.is_socket = scope["type"] == "websocket"
        self.is_upload = self.path == UPLOADS
        self._headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            self._headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        self.host, self.origin, self.site = self._one("host"), self._one("origin"), self._one("sec-fetch-site")
        self.content_type = self._one("content-type").partition(";")[0].strip().lower()
        self.has_length = "content-length" in self._headers
        length = self._one("content-length")
        self.length = int(length) if length.isascii() and length.isdecimal() and len(length) < 19 else None
        self.most_bytes = MOST_PICTURE_BYTES if self.is_upload else MOST_TEXT_BYTES

    def _one(self, name: str) -> str:
        found = self._headers.get(name, [])
        return found[0] if len(found) == 1 else ""

    @property
    def cookies(self) -> dict[str, str]:
        """All cookies; none where they can't be read."""
        try:
            return {name: each.value for name, each in SimpleCookie(self._one("cookie")).items()}
        except CookieError:
            return {}


def _limited(receive: Receive, most: int) -> Receive:
    """Stops reading past so many bytes, whatever was said of the length, or left unsaid."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if seen > most:
            raise TooLarge
        return message

    return limited


def _with_headers(send: Send) -> Send:
    """Every answer says what browsers may do with it."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message.get("headers", [])}
            more = [(name, value) for name, value in _HEADERS.items() if name not in given]
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return sending


async def _answer(send: Send, status: int, kind: bytes, body: bytes, headers: dict[bytes, bytes]) -> None:
    about = {b"content-type": kind, b"content-length": str(len(body)).encode()} | headers
    await send({"type": "http.response.start", "status": status, "headers": list(about.items())})
    await send({"type": "http.response.body", "body": body})
