"""Tokens for OAUTHBEARER: asked for once, renewed in time, and never shown."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import AuthenticationFailedError

from hitl_events.adapters.kafka.oauth import AskedToken, FileToken
from hitl_events.adapters.kafka.secret import Secret
from hitl_events.adapters.kafka.settings import Sasl

SECRET = "hush:hush"


class Issuer(HTTPServer):
    """Gives what it is told to; keeps what it was asked."""

    answer: tuple[int, bytes] = (200, b'{"access_token": "token-1", "expires_in": 300}')

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.asked: list[tuple[str, str]] = []

    @property
    def sasl(self) -> Sasl:
        """Settings that lead here."""
        return Sasl(
            mechanism="OAUTHBEARER",
            username="engine",
            password=Secret(SECRET),
            token_url=f"http://127.0.0.1:{self.server_port}/token",
            scope="kafka",
        )


class _Request(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        issuer: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        issuer.asked.append((self.headers["Authorization"], body))
        status, answer = issuer.answer
        if not status:  # what speaks no HTTP
            self.wfile.write(answer)
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", issuer.sasl.token_url)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object, **__: object) -> None:
        """Say nothing."""


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """A server of tokens on this machine."""
    server = Issuer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_token_is_asked_for_once(issuer: Issuer) -> None:
    """With client credentials; all connections share it while it lives."""
    asked = AskedToken(issuer.sasl)

    assert [await asked.token(), await asked.token()] == ["token-1", "token-1"]
    ((head, body),) = issuer.asked
    assert base64.b64decode(head.removeprefix("Basic ")) == b"engine:hush%3Ahush"
    assert body == "grant_type=client_credentials&scope=kafka"


async def test_a_token_that_is_about_to_end_is_renewed(issuer: Issuer) -> None:
    """One that does not live at all is asked for each time."""
    issuer.answer = (200, b'{"access_token": "t", "expires_in": 0.000001}')
    asked = AskedToken(issuer.sasl)

    await asked.token()
    await asked.token()

    assert len(issuer.asked) == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((401, b"{}"), "HTTP 401"),
        ((302, b""), "HTTP 302"),
        ((0, b"220 mail.test ESMTP\r\n"), "BadStatusLine"),
        ((200, b"no json"), "JSONDecodeError"),
        ((200, b"[]"), "an answer without one"),
        ((200, b'{"access_token": 7}'), "an answer without one"),
    ],
)
async def test_no_token_is_told(issuer: Issuer, answer: tuple[int, bytes], told: str) -> None:
    """Where it was asked for and what came, not who asked with which secret."""
    issuer.answer = answer

    with pytest.raises(AuthenticationFailedError, match=told) as caught:
        await AskedToken(issuer.sasl).token()

    assert "/token" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert len(issuer.asked) == 1  # a place that another names does not hear the secret


async def test_a_place_that_does_not_answer_is_told(issuer: Issuer) -> None:
    """With what the system says of it, and without what the URL asks for."""
    sasl = replace(issuer.sasl, token_url="http://127.0.0.1:1/token?key=hush")

    with pytest.raises(AuthenticationFailedError, match="Connection refused") as caught:
        await AskedToken(sasl).token()

    assert "hush" not in str(caught.value)


async def test_a_file_is_read_anew(tmp_path: Path) -> None:
    """Somebody renews it; without one, or with an empty one, the error names it."""
    path = tmp_path / "token"
    held = FileToken(str(path))

    with pytest.raises(AuthenticationFailedError, match="No such file"):
        await held.token()
    path.write_text("\n")
    with pytest.raises(AuthenticationFailedError, match="empty"):
        await held.token()
    path.write_text("one\n")
    assert await held.token() == "one"
    path.write_text("two")
    assert await held.token() == "two"
