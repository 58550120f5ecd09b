"""Who is let in: each rule by itself, on a real studio."""

from __future__ import annotations

import http.client
import socket

import pytest
from websockets.exceptions import InvalidStatus

from pipeline.studio.guard import MOST_PICTURE_BYTES, MOST_TEXT_BYTES
from tests.processes import dreamreel, finished
from tests.studio.server import PATIENCE, Page

CHECKED = b'{"text": "stages: []"}'


def test_the_link_lets_in_by_a_cookie_that_no_script_reads_and_no_other_site_sends(page: Page) -> None:
    entered = page.ask("GET", f"/?token={page.token}", Cookie=None)
    cookie = entered.headers["set-cookie"]
    assert entered.status == 200 and b"refresh" in entered.body
    assert cookie == f"{page.cookie}; Path=/; HttpOnly; SameSite=Strict"
    assert page.ask("GET", "/").status == 200


@pytest.mark.parametrize("path", ["/", "/page/index.html", "/api/state", "/api/presets/none/poster.jpg"])
def test_nothing_is_told_without_the_token(page: Page, path: str) -> None:
    for cookie in (None, "dreamreel=1", f"dreamreel-{page.port}=", f"dreamreel-{page.port}={'x' * 43}"):
        refused = page.ask("GET", path, Cookie=cookie)
        assert refused.status == 401 and b"the link" in refused.body
    assert page.ask("GET", "/?token=wrong", Cookie=None).status == 401
    assert page.ask("GET", f"/api/state?token={page.token}", Cookie=None).status == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}", ""]
)
def test_it_answers_to_its_own_names_alone(page: Page, host: str) -> None:
    """A site that has its own name point here (DNS rebinding) is told nothing, and its link lets nobody in."""
    named = host.format(port=page.port)
    assert page.ask("GET", "/api/state", Host=named).status in (400, 421)
    assert "set-cookie" not in page.ask("GET", f"/?token={page.token}", Host=named).headers


def test_it_answers_to_localhost(page: Page) -> None:
    assert page.ask("GET", "/api/state", Host=f"localhost:{page.port}").status == 200


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://127.0.0.1", "http://localhost:1"])
def test_a_change_needs_the_pages_own_origin(page: Page, origin: str | None) -> None:
    assert page.ask("POST", "/api/check", CHECKED).status == 200
    assert page.ask("POST", "/api/check", CHECKED, Origin=origin).status == 403
    assert page.ask("POST", "/api/check", CHECKED, Sec_Fetch_Site="cross-site").status == 403
    with pytest.raises(InvalidStatus, match="403"), page.live(**({"Origin": origin} if origin else {"Origin": ""})):
        pass


def test_the_connection_needs_the_token(page: Page) -> None:
    with pytest.raises(InvalidStatus, match="403"), page.live(Cookie="none=1"):
        pass


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "image/png"]
)
def test_a_change_is_json(page: Page, kind: str | None) -> None:
    """What a form of another site could send."""
    assert page.ask("POST", "/api/check", CHECKED, Content_Type=kind).status == 415


def test_other_methods_and_words_are_refused(page: Page) -> None:
    assert page.ask("DELETE", "/api/state", b"{}").status == 405
    assert page.ask("OPTIONS", "/api/check", b"").status == 405
    assert page.ask("POST", "/api/check", b"[1]").status == 400
    assert page.ask("POST", "/api/check", b'{"text": "", "more": 1}').status == 400
    assert page.ask("POST", "/api/check", b"[" * 100_000).status == 400


def test_a_gigabyte_is_refused_unread(page: Page) -> None:
    """By the length that is told; and where none is, as soon as it is too much."""
    for path, kind in (("/api/stills", "image/png"), ("/api/check", "application/json")):
        told = page.ask("POST", path, None, Content_Type=kind, Content_Length=str(1 << 30))
        assert told.status == 413 and told.headers["connection"] == "close"
    sent, most = 0, MOST_TEXT_BYTES + (8 << 20)
    with socket.create_connection(("127.0.0.1", page.port), timeout=PATIENCE) as raw:
        head = (
            f"POST /api/check HTTP/1.1\r\nHost: {page.host}\r\nOrigin: http://{page.host}\r\nCookie: {page.cookie}\r\n"
        )
        raw.sendall(f"{head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        block = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        try:
            while sent < most:
                raw.sendall(block)
                sent += 0x10000
            answer = raw.recv(100)
        except OSError:  # closed meanwhile, which is as good
            answer = b"HTTP/1.1 413"
    assert answer.startswith(b"HTTP/1.1 413") and MOST_TEXT_BYTES < MOST_PICTURE_BYTES


def test_every_answer_says_what_may_be_done_with_it(page: Page) -> None:
    for path in ("/", "/api/state", "/page/index.html", "/nothing"):
        headers = page.ask("GET", path).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self';") and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "http" not in policy and "access-control-allow-origin" not in headers
        assert "server" not in headers


@pytest.mark.parametrize(
    "path", ["..%2f..%2fetc%2fpasswd", "../server.py", "%2e%2e/server.py", "..\\server.py", "/etc/passwd"]
)
def test_no_path_leads_out_of_the_page(page: Page, path: str) -> None:
    assert page.ask("GET", f"/page/{path}").status == 404


@pytest.mark.parametrize("id_", ["..", "%2e%2e", "..%2fmine", "mine", "%00", "/etc"])
def test_ids_are_no_paths(page: Page, id_: str) -> None:
    for path in (f"/api/presets/{id_}", f"/api/runs/{id_}", f"/api/stills/{id_}/original.jpg", f"/api/atlas/{id_}"):
        assert page.ask("GET", path).status in (404, 405)


def test_no_svg_and_nothing_else_that_runs(page: Page) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    assert page.ask("POST", "/api/stills?name=x.svg", svg, Content_Type="image/svg+xml").status == 415
    assert page.ask("POST", "/api/stills?name=x.png", svg, Content_Type="image/png").status == 415
    assert page.ask("POST", "/api/stills?name=x.png", b"GIF89a" + bytes(40), Content_Type="image/png").status == 415


def test_only_this_machine_reaches_it_unless_told(page: Page) -> None:
    with socket.socket() as other, pytest.raises(OSError):
        other.settimeout(2)
        other.connect((socket.gethostbyname(socket.gethostname()) if _has_address() else "192.0.2.1", page.port))


def _has_address() -> bool:
    try:
        return not socket.gethostbyname(socket.gethostname()).startswith("127.")
    except OSError:
        return False


def test_another_address_says_what_it_opens_and_needs_the_token(tmp_path: object) -> None:
    process = dreamreel("studio", str(tmp_path), "--no-browser", "--host", "0.0.0.0")
    assert process.stdout is not None and process.stderr is not None
    try:
        link = process.stdout.readline()
        port = int(link.partition("/?token=")[0].rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/api/state")
        refused = connection.getresponse()
        assert refused.status == 401 and refused.read()
        connection.close()
    finally:
        process.terminate()
        said = process.communicate(timeout=PATIENCE)[1]
    assert "beyond this machine and without encryption" in said and "open any file that you may read" in said


def test_mistakes_are_told() -> None:
    assert "is no folder" in finished("studio", "nowhere-at-all").stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = finished("studio", "--no-browser", "--port", str(taken.getsockname()[1]))
    assert said.returncode == 1 and "choose another with --port" in said.stderr
