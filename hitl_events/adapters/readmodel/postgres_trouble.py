"""Turns what PostgreSQL's driver raises into one clear line, in which no password stands."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from hitl_events.errors import HitlError, InvalidInput, LogUnavailable

STATEMENT_S = 30
"""A piece takes under a second, also where it waits for what another writer counts."""

_CHARACTERS_MAX = 300
_PROBLEMS = (psycopg.Error, OverflowError, UnicodeEncodeError)
_KNOWN = {
    "28": "it does not take this user: check the user and the password of HITL_READ_MODEL",
    "3D": "there is no such database: make it with createdb",
    "42P01": "a table of it is gone: `hitl rebuild` makes it anew",
    "42703": "a column of it is gone: `hitl rebuild` makes it anew",
    "42501": "it refuses a right: make this user the owner of the schema; to make one, also for "
    "a rebuild, it needs GRANT CREATE ON DATABASE",
    "53100": "its disk is full: make room, nothing of this write was kept",
    "53300": "it has no connection left: raise its max_connections",
    "55P03": "another session keeps the tables locked: look for it in pg_stat_activity",
    "57014": f"a statement took more than {STATEMENT_S} s: look for what keeps it waiting",
    "25006": "it is read-only: name its primary",
}
"""By the SQLSTATE: the whole of it, or its class."""
_UNREACHED = (
    "see that it runs, and that HITL_READ_MODEL has its host, port, database, user and password"
)
"""Where no connection is had or one breaks, the driver tells no SQLSTATE."""


@contextmanager
def translated(place: str, secrets: frozenset[str] = frozenset()) -> Generator[None]:
    """What the driver raises inside leaves it as an error of ours that names the place."""
    try:
        yield
    except _PROBLEMS as error:
        # the driver's own error may quote what it was given: it is no part of ours
        raise _ours(place, error, secrets) from None


def _ours(place: str, error: Exception, secrets: frozenset[str]) -> HitlError:
    if isinstance(error, OverflowError):
        return InvalidInput("expected a number below 2^63, found a larger one")
    if isinstance(error, UnicodeEncodeError):
        return InvalidInput("expected text, found a lone surrogate, which is not valid Unicode")
    code = getattr(error, "sqlstate", None) or ""
    problem = _KNOWN.get(code) or _KNOWN.get(code[:2]) or _said(error)
    if not code and isinstance(error, psycopg.OperationalError):
        problem = f"{problem.rstrip('?.')}: {_UNREACHED}"
    for secret in secrets:
        problem = problem.replace(secret, "***")
    return LogUnavailable(f"expected to use the read model in {place}, found that {problem}")


def _said(error: Exception) -> str:
    """What the driver says, on one line; only the first part of it is without the row's values."""
    diagnosis = getattr(error, "diag", None)
    said = getattr(diagnosis, "message_primary", None) or str(error) or type(error).__name__
    text = " ".join(said.split())
    return text if len(text) <= _CHARACTERS_MAX else f"{text[:_CHARACTERS_MAX]}..."
