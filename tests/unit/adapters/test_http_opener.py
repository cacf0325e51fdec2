"""Whoever is asked with a password gets it, and nobody else."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from hitl_events.adapters.http_opener import http_opener

SECRET = "Basic c2VjcmV0"


class Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody on to another path."""

    seen: list[tuple[str, str | None]] = []  # noqa: RUF012 - one server at a time

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        self.send_response(302 if self.path == "/asked" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """A test prints nothing."""


@pytest.fixture
def place() -> Iterator[str]:
    """The address of such a server."""
    Elsewhere.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_password_goes_nowhere_else(place: str) -> None:
    """A redirect is an error: the credentials would go along to wherever it leads."""
    asked = Request(f"{place}/asked", headers={"Authorization": SECRET})

    with pytest.raises(HTTPError) as refused:
        http_opener().open(asked, timeout=20)
    refused.value.close()

    assert refused.value.code == 302
    assert Elsewhere.seen == [("/asked", SECRET)]
