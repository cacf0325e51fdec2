"""A schema registry for tests: its REST interface as far as it is asked, and records of its ids."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.kafka.schemas import FASTAVRO

PLACE = "127.0.0.1"
_SCHEMAS = "/schemas/ids/"


class SchemaRegistry:
    """Schemas by their ids; it may go away and come back at the same place."""

    def __init__(self) -> None:
        self._schemas: dict[int, Any] = {}
        self._port = 0
        self.begin()

    @property
    def url(self) -> str:
        """For HITL_SCHEMA_REGISTRY."""
        return f"http://{PLACE}:{self._port}"

    def begin(self) -> None:
        """Listen and answer."""
        self._server = _Server(self._schemas, self._port)
        self._port = self._server.server_port
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.01,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Nobody listens there any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def register(self, schema: Mapping[str, Any]) -> int:
        """The id of a schema from now on."""
        self._schemas[len(self._schemas) + 1] = schema
        return len(self._schemas)

    def framed(self, schema_id: int, **fields: Any) -> bytes:
        """A record of that schema, as the clients of such registries write it."""
        body = io.BytesIO()
        FASTAVRO.schemaless_writer(body, FASTAVRO.parse_schema(self._schemas[schema_id]), fields)
        return frame(schema_id, body.getvalue())


def frame(schema_id: int, body: bytes) -> bytes:
    """The Confluent frame."""
    return b"\x00" + schema_id.to_bytes(4, "big") + body


@contextmanager
def schema_registry() -> Generator[SchemaRegistry]:
    """One that answers, at a free port."""
    registry = SchemaRegistry()
    try:
        yield registry
    finally:
        registry.end()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, schemas: Mapping[int, Any], port: int) -> None:
        super().__init__((PLACE, port), _Answer)
        self.schemas = schemas


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        number = self.path.removeprefix(_SCHEMAS)
        schema = self.server.schemas.get(int(number)) if number.isdecimal() else None
        status, body = 200, json.dumps({"schema": json.dumps(schema)}).encode()
        if schema is None:
            status, body = 404, b'{"error_code": 40403, "message": "Schema not found"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """A test prints nothing."""
