"""Asks a schema registry over its REST interface: `GET /schemas/ids/{id}`, nothing else.

With urllib in a thread: one small answer per schema and process is no reason for a dependency.
"""

from __future__ import annotations

import asyncio
import base64
import json
from http.client import HTTPException
from time import monotonic
from typing import Any
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote, urlunsplit
from urllib.request import Request

from hitl_events.adapters.http_opener import http_opener, http_place
from hitl_events.domain.values import is_unicode
from hitl_events.errors import InvalidInput, RegistryUnavailable

TIMEOUT_S = 5.0
"""For one answer, and for each wait for the network in it."""
ANSWER_BYTES_MAX = 1024 * 1024
_PIECE_BYTES = 64 * 1024
_NO_SUCH_SCHEMA = (400, 404, 422)
"""Answers about the id; all other errors are about the registry (rights, load, a proxy)."""


class HttpRegistry:
    """The `Registry` at a URL, that of `HITL_SCHEMA_REGISTRY`.

    A user and password in it are sent as basic authentication and never shown.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = _parts(url)
        credentials, _, place = parts.netloc.rpartition("@")
        self._url = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if credentials:
            basic = base64.b64encode(unquote(credentials).encode()).decode()
            self._headers["Authorization"] = f"Basic {basic}"
        self._timeout_s = timeout_s
        self._opener = http_opener()

    def __repr__(self) -> str:
        return f"HttpRegistry({self._url!r})"

    async def schema(self, schema_id: int) -> str | None:
        return await asyncio.to_thread(self._ask, schema_id)

    def _ask(self, schema_id: int) -> str | None:
        url = f"{self._url}/schemas/ids/{schema_id}"
        request = Request(url, headers=self._headers)  # noqa: S310 - http or https, see __init__
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return self._schema_in(json.loads(self._whole(answer)))
        except HTTPError as error:
            with error:
                if error.code in _NO_SUCH_SCHEMA:
                    return None
            raise self._unavailable(f"status {error.code}") from None
        except (OSError, HTTPException, ValueError) as error:
            raise self._unavailable(type(error).__name__) from None

    def _whole(self, answer: Any) -> bytes:
        """The body, if it is small and comes in time; who sends byte by byte is not waited for."""
        until = monotonic() + self._timeout_s
        body = b""
        while piece := answer.read1(_PIECE_BYTES):
            body += piece
            if len(body) > ANSWER_BYTES_MAX or monotonic() > until:
                raise self._unavailable("an answer that is too long")
        return body

    def _schema_in(self, answer: Any) -> str | None:
        """The text of an Avro schema; what is of another kind, or made of several, is none."""
        if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
            raise self._unavailable("an answer without a schema")
        if answer.get("schemaType", "AVRO") != "AVRO" or answer.get("references"):
            return None
        return str(answer["schema"])

    def _unavailable(self, found: str) -> RegistryUnavailable:
        return RegistryUnavailable(f"expected a schema of the registry {self._url}, found {found}")


def _parts(url: str) -> SplitResult:
    """`InvalidInput` for what is no URL of a server; it is not shown, as it may hold a password."""
    parts = http_place(url)
    if parts is not None and is_unicode(url):
        return parts
    raise InvalidInput("expected http://HOST:PORT as HITL_SCHEMA_REGISTRY, found another")
