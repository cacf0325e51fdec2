"""The health port: what it says, and that nobody can hold it."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hitl_events.errors import InvalidInput
from hitl_services import health
from hitl_services.health import Health, HealthServer, Questions


class Probe:
    """A server, what it is told to say, and a client."""

    def __init__(self) -> None:
        self.live = Health(good=True, reason="beats")
        self.ready = Health(good=False, reason="starting")
        self.failures: list[BaseException] = []
        self.failed = threading.Event()
        self.server = HealthServer(0)
        self.server.start(
            Questions(
                live=lambda: self.live,
                ready=lambda: self.ready,
                metrics=lambda: b"hitl_gates_open 3.0\n",
                failed=self._fail,
            )
        )

    def _fail(self, error: BaseException) -> None:
        self.failures.append(error)
        self.failed.set()

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        """Status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A connection that says nothing yet."""
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=10)


@pytest.fixture
def probe() -> Iterator[Probe]:
    """A server on a free port."""
    probe = Probe()
    yield probe
    probe.server.stop()


def test_each_path_says_its_own(probe: Probe) -> None:
    """200 where all is well, 503 where not, both with the reason as JSON; metrics as text."""
    status, body = probe.ask("/livez")
    assert (status, json.loads(body)) == (200, {"ok": True, "reason": "beats"})

    status, body = probe.ask("/readyz?verbose")
    assert (status, json.loads(body)) == (503, {"ok": False, "reason": "starting"})

    assert probe.ask("/metrics") == (200, b"hitl_gates_open 3.0\n")


def test_what_is_asked_is_of_now(probe: Probe) -> None:
    """No answer is kept from before."""
    probe.ask("/readyz")
    probe.ready = Health(good=True, reason="served")

    assert probe.ask("/readyz")[0] == 200


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/", "GET", 404), ("/runs", "GET", 404), ("/livez", "HEAD", 200), ("/livez", "POST", 501)],
)
def test_anything_else_is_refused(probe: Probe, path: str, method: str, status: int) -> None:
    """Three paths to read, no other, and nothing to write."""
    assert probe.ask(path, method)[0] == status


@pytest.mark.parametrize("said", [b"\0\xff\r\n\r\n", b"GET /" + b"a" * 100_000, b""])
def test_nonsense_ends_nothing(probe: Probe, said: bytes) -> None:
    """Whatever comes, the next probe is answered."""
    with probe.connect() as connection:
        connection.sendall(said)

    assert probe.ask("/livez")[0] == 200
    assert probe.failures == []


def test_a_connection_that_takes_too_long_is_cut(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that sends a byte now and then."""
    monkeypatch.setattr(health, "REQUEST_S_MAX", 0.1)
    with probe.connect() as connection:
        connection.sendall(b"GET /li")

        assert connection.recv(1) == b""


def test_connections_are_bounded(probe: Probe) -> None:
    """Many open connections: the one too many is closed, and there is room again afterwards."""
    held = [probe.connect() for _ in range(health.CONNECTIONS_MAX)]
    with probe.connect() as surplus:
        assert surplus.recv(1) == b""
    for connection in held:
        connection.close()

    end_s = time.monotonic() + 10
    answered: Any = None
    while answered != 200 and time.monotonic() < end_s:
        try:
            answered = probe.ask("/livez")[0]
        except (OSError, http.client.HTTPException):
            continue
    assert answered == 200


def test_a_defect_of_ours_is_told(probe: Probe) -> None:
    """A question that raises closes the connection, and whoever logs hears of it."""
    probe.live = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]  # the defect
    with pytest.raises((OSError, http.client.HTTPException)):
        probe.ask("/livez")

    assert probe.failed.wait(10)
    assert isinstance(probe.failures[0], AttributeError)


def test_a_port_in_use_is_named(probe: Probe) -> None:
    """One line with the variable and the port."""
    with pytest.raises(InvalidInput, match=rf"HITL_METRICS_PORT .* found {probe.server.port}: "):
        HealthServer(probe.server.port)


def test_a_port_is_free_again_after_the_end() -> None:
    """Whoever comes next gets the port at once."""
    first = HealthServer(0)
    first.stop()

    second = HealthServer(first.port)
    second.stop()
    assert second.port == first.port
