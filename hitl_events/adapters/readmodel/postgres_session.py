"""Connections to a PostgreSQL server: each wait on them has a bound, also where nobody answers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.abc import PQGen
from psycopg.types.numeric import Int8BinaryDumper

from hitl_events.adapters.readmodel.postgres_trouble import STATEMENT_S
from hitl_events.errors import InvalidInput

CONNECT_S = 10
"""For each host that the URL names; a server that is reached answers in milliseconds."""
ANSWER_S = STATEMENT_S + 10
"""The server itself ends a statement that takes too long; one that hangs does not even do that."""
STANDSTILL_S = 15
"""A writer that stands still in its transaction is cut off, so that whoever takes over gets on."""

_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""A host that vanished is missed after 25 s: by us, and (as `tcp_...`) by the server."""
_LOOK_S = 0.1
_T = TypeVar("_T")


class Session:
    """How to connect: to which database, with which schema; what of it may be told."""

    def __init__(self, url: str, schema: str, secrets: set[str]) -> None:
        try:
            given = conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            # the library's own message quotes parts of the URL
            raise InvalidInput(
                "expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE?NAME=VALUE as "
                "HITL_READ_MODEL, found a URL that PostgreSQL does not read: write what is "
                "special in a password as %XX, and check the names after the ?"
            ) from None
        self.schema = schema
        self.secrets = frozenset(secrets)
        self.place = _place(given, schema)
        self._given: dict[str, Any] = (
            {"connect_timeout": CONNECT_S, "application_name": "hitl"} | _ALIVE | given
        )

    def connect(self, *, writable: bool, rests: bool = False) -> psycopg.Connection[Any]:
        """A connection without a transaction; `rests`: somebody may be slow between its rows."""
        connection = _Bounded.connect(
            conninfo.make_conninfo("", **self._given), autocommit=True, client_encoding="UTF8"
        )
        with ExitStack() as undo:
            undo.callback(connection.close)
            # One width for all numbers: else each row is a statement of its own to the server.
            connection.adapters.register_dumper(int, Int8BinaryDumper)
            settings = self._settings(writable=writable, rests=rests)
            asked = ", ".join(["set_config(%s, %s, false)"] * len(settings))
            given = [text for pair in settings.items() for text in pair]
            connection.execute(f"SELECT {asked}".encode(), given)
            undo.pop_all()
        return connection

    def _settings(self, *, writable: bool, rests: bool) -> dict[str, str]:
        return {
            "search_path": self.schema,
            "statement_timeout": f"{STATEMENT_S}s",
            "idle_in_transaction_session_timeout": "0" if rests else f"{STANDSTILL_S}s",
            # The offset goes with the rows: what a failing server forgets is folded again.
            "synchronous_commit": "off",
            "default_transaction_read_only": "off" if writable else "on",
            "default_transaction_isolation": "read committed",
        } | {f"tcp_{name}": str(held) for name, held in _ALIVE.items()}


class _Bounded(psycopg.Connection[Any]):
    """Waits so long and no longer; a connection on which that happened is closed."""

    def wait(self, gen: PQGen[_T], interval: float = _LOOK_S, timeout: float | None = None) -> _T:
        try:
            return super().wait(gen, interval, ANSWER_S if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # not the server's word: it is cut off, or it hangs
                self.pgconn.finish()
            raise


def _place(given: Mapping[str, object], schema: str) -> str:
    host = given.get("host") or given.get("hostaddr") or "the local socket"
    port = f":{given['port']}" if given.get("port") else ""
    database = given.get("dbname") or given.get("user") or "of the user's name"
    return f"database {database} at {host}{port}, schema {schema}"
