import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from hitl_events.adapters.inbound.registry import ANSWER_BYTES_MAX, HttpRegistry
from hitl_events.errors import InvalidInput, RegistryUnavailable

SCHEMA = '{"type": "record", "name": "R", "fields": []}'
ANSWERS: dict[str, tuple[int, bytes]] = {
    "1": (200, json.dumps({"schema": SCHEMA}).encode()),
    "2": (200, json.dumps({"schema": SCHEMA, "schemaType": "AVRO", "references": []}).encode()),
    "3": (200, json.dumps({"schema": "{}", "schemaType": "JSON"}).encode()),
    "4": (200, json.dumps({"schema": SCHEMA, "references": [{"name": "x"}]}).encode()),
    "5": (404, b'{"error_code": 40403}'),
    "6": (500, b"{}"),
    "7": (401, b"{}"),
    "8": (200, b"<html>a proxy's page</html>"),
    "9": (200, b"[]"),
    "10": (200, b'{"schema": "' + b"x" * ANSWER_BYTES_MAX + b'"}'),
    "11": (422, b"{}"),
    "12": (302, b"{}"),
}


class Stub(BaseHTTPRequestHandler):
    """Speaks as much of the registry's REST interface as is asked for."""

    silence = Event()
    seen: list[tuple[str, str | None]] = []  # noqa: RUF012 - one stub at a time

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        last = self.path.rpartition("/")[2]
        if last == "99":
            self.silence.wait(5)
            return
        status, body = ANSWERS[last]
        self.send_response(status)
        self.send_header("Location", "/schemas/ids/1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """A test prints nothing."""


@pytest.fixture
def place() -> Iterator[str]:
    """Host and port of a stub."""
    Stub.seen.clear()
    Stub.silence.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    Stub.silence.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("schema_id", [1, 2])
async def test_an_avro_schema_comes_as_text(place: str, schema_id: int) -> None:
    """The kind of a schema may be left out, as old registries do."""
    assert await HttpRegistry(f"http://{place}/").schema(schema_id) == SCHEMA
    assert Stub.seen == [(f"/schemas/ids/{schema_id}", None)]


@pytest.mark.parametrize("schema_id", [3, 4, 5, 11])
async def test_an_id_without_an_avro_schema_has_none(place: str, schema_id: int) -> None:
    """That is an answer, and final: other kinds of schema, schemas in several parts, no schema."""
    assert await HttpRegistry(f"http://{place}").schema(schema_id) is None


@pytest.mark.parametrize("schema_id", [6, 7, 8, 9, 10, 12, 99])
async def test_what_is_no_answer_is_an_unavailability(place: str, schema_id: int) -> None:
    """Errors of the server, its rights, a proxy's page, silence: nothing about the record."""
    with pytest.raises(RegistryUnavailable, match=f"registry http://{place}, found"):
        await HttpRegistry(f"http://{place}", timeout_s=0.3).schema(schema_id)


async def test_a_registry_that_is_not_there_is_unavailable() -> None:
    """Nothing listens on that port."""
    with pytest.raises(RegistryUnavailable):
        await HttpRegistry("http://127.0.0.1:1").schema(1)


async def test_credentials_are_sent_and_never_shown(place: str) -> None:
    """User and password of the URL go into a header and into no message."""
    registry = HttpRegistry(f"http://ann:s%40crt@{place}/path")

    await registry.schema(1)
    with pytest.raises(RegistryUnavailable) as caught:
        await registry.schema(6)

    assert Stub.seen[0] == ("/path/schemas/ids/1", "Basic YW5uOnNAY3J0")
    assert "crt" not in str(caught.value) + repr(registry)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "registry:8081",
        "file:///etc/passwd",
        "http://",
        "http://[",
        "http://h:99999",
        "http://h/a b",
        "http://h/\u00e4",
        "http://u:secret\udcff@h",
    ],
)
def test_a_url_that_is_none_is_refused_at_start(url: str) -> None:
    """The message names the variable and not the value, which may hold a password."""
    with pytest.raises(InvalidInput, match="HITL_SCHEMA_REGISTRY"):
        HttpRegistry(url)
