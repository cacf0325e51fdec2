"""`/livez`, `/readyz` and `/metrics` of a process, on a thread of their own.

It answers while the event loop is busy, and says so when the loop stands still. Requests are GET or
HEAD without a body; their number, size and time are bounded, so that nobody can hold the port.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, BaseServer
from typing import Any, TypeAlias

from hitl_events.adapters.system import SystemClock
from hitl_events.domain.values import value
from hitl_events.errors import InvalidInput

CONNECTIONS_MAX = 16
"""At the same time: a few probes and scrapers. More are closed unanswered."""
REQUEST_S_MAX = 5.0
"""From its first byte to the end of the answer."""
_POLL_S = 0.25
_PLAIN_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@value
class Health:
    """`good`, and in a few words why."""

    good: bool
    reason: str


Ask: TypeAlias = Callable[[], Health]


@value
class Questions:
    """What the server asks, on its own threads: reads of plain attributes, nothing that waits."""

    live: Ask
    ready: Ask
    metrics: Callable[[], bytes]
    failed: Callable[[BaseException], None]
    """Told when one of the others raised."""


_Request: TypeAlias = socket.socket | tuple[bytes, socket.socket]


class HealthServer:
    """Has its port from the beginning, on all interfaces; answers from `start` to `stop`.

    `InvalidInput` names HITL_METRICS_PORT where the port can not be had; 0 takes any free one.
    """

    def __init__(self, port: int) -> None:
        try:
            self._server = _Server(port)
        except OSError as error:
            wanted = f"expected HITL_METRICS_PORT to be a free port, found {port}"
            raise InvalidInput(f"{wanted}: {error.strerror}; name another one") from None
        self.port = int(self._server.server_address[1])
        self._started = False

    def start(self, questions: Questions) -> None:
        """Answer, on threads of its own."""
        self._server.ask(questions)
        self._started = True
        serve = partial(self._server.serve_forever, _POLL_S)
        threading.Thread(target=serve, name="hitl-health", daemon=True).start()

    def stop(self) -> None:
        """Listen no more; requests that are under way are left to their bound."""
        if self._started:
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """A thread for each of a bounded number of connections; those that take too long are cut."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, port: int) -> None:
        self._failed: Callable[[BaseException], None] | None = None
        self._clock = SystemClock()
        self._open: dict[_Request, float] = {}
        self._lock = threading.Lock()
        dual = socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if dual else socket.AF_INET
        super().__init__(("", port), BaseRequestHandler)

    def ask(self, questions: Questions) -> None:
        """Whom to ask."""
        self._failed = questions.failed
        self.RequestHandlerClass = partial(_Handler, questions)

    def server_bind(self) -> None:
        """IPv4 and IPv6 with one socket, where there are both."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "", self.server_address[1]

    def verify_request(self, request: _Request, client_address: object) -> bool:
        """Whether there is room for one more."""
        with self._lock:
            if len(self._open) >= CONNECTIONS_MAX:
                return False
            self._open[request] = self._clock.monotonic_s()
            return True

    def shutdown_request(self, request: _Request) -> None:
        """A connection ends."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called every so often by the listening thread: cut what is too slow."""
        oldest_s = self._clock.monotonic_s() - REQUEST_S_MAX
        with self._lock:
            late = [request for request, since_s in self._open.items() if since_s < oldest_s]
        for request in late:
            with suppress(OSError):
                assert isinstance(request, socket.socket)
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: _Request, client_address: object) -> None:
        """A client that hung up is nobody's business; what we did wrong is."""
        error = sys.exc_info()[1]
        if self._failed and error is not None and not isinstance(error, OSError):
            self._failed(error)


class _Handler(BaseHTTPRequestHandler):
    """One request, one answer, then the connection is closed (HTTP/1.0)."""

    server_version = "hitl"
    sys_version = ""
    timeout = REQUEST_S_MAX

    def __init__(
        self, questions: Questions, request: _Request, client: object, server: BaseServer
    ) -> None:
        self._questions = questions
        super().__init__(request, client, server)

    def do_GET(self) -> None:
        """Answer."""
        asked = self._questions
        match self.path.partition("?")[0]:
            case "/livez":
                self._health(asked.live())
            case "/readyz":
                self._health(asked.ready())
            case "/metrics":
                self._send(HTTPStatus.OK, _PLAIN_TEXT, asked.metrics())
            case _:
                paths = {"paths": ["/livez", "/readyz", "/metrics"]}
                self._json(HTTPStatus.NOT_FOUND, paths)

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def _health(self, health: Health) -> None:
        status = HTTPStatus.OK if health.good else HTTPStatus.SERVICE_UNAVAILABLE
        self._json(status, {"ok": health.good, "reason": health.reason})

    def _json(self, status: HTTPStatus, held: Mapping[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(held).encode() + b"\n")

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its parent names it
        """Probes are no news."""
