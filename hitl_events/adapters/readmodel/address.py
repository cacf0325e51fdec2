"""`HITL_READ_MODEL`: the URL of a read model, read without a driver and told without a password."""

from __future__ import annotations

import re
from dataclasses import field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from hitl_events.domain.values import value
from hitl_events.errors import InvalidInput

DEFAULT_SCHEMA = "hitl"
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_SCHEMA = re.compile("[a-z_][a-z0-9_]{0,62}")
_SHOWN_CHARACTERS = 60
_SECRET_PARAMETERS = ("password", "sslpassword")


@value
class SqlitePlace:
    """A file; a relative path counts from the working directory."""

    path: Path


@value
class PostgresPlace:
    """A server's database in PostgreSQL's own words (`url`), and the schema that is ours."""

    url: str = field(repr=False)
    schema: str


Place: TypeAlias = SqlitePlace | PostgresPlace


def place_of(url: str) -> Place:
    """`InvalidInput`, one line that does not show what may be a password, for what is no place."""
    if url.startswith(_SQLITE):
        path = url.removeprefix(_SQLITE)
        if not path.strip("/") or path.endswith("/") or not path.isprintable():
            raise InvalidInput(
                "expected the path of a file after sqlite:/// as HITL_READ_MODEL, found none: "
                "sqlite:///relative or sqlite:////absolute"
            )
        return SqlitePlace(path=Path(path))
    if url.startswith(_POSTGRES):
        return _postgres(url)
    raise InvalidInput(
        "expected sqlite:///FILE or postgresql://USER@HOST:PORT/DATABASE as HITL_READ_MODEL, "
        f"found {_scheme(url)}"
    )


def secrets_in(url: str) -> set[str]:
    """The passwords of a URL as they stand there, and as they are sent."""
    credentials, _, query = _parts(url)
    found = {credentials.removesuffix("@").partition(":")[2]}
    found |= {
        text
        for name, _, text in (each.partition("=") for each in query.split("&"))
        if name in _SECRET_PARAMETERS
    }
    return {text for each in found if each for text in (each, unquote(each))}


def _postgres(url: str) -> PostgresPlace:
    """`schema` is ours: PostgreSQL's library knows no such parameter."""
    credentials, place, query = _parts(url)
    if "@" in place:
        # of a password that has one, or a /, PostgreSQL takes the rest for the host, and tells it
        raise InvalidInput(
            "expected %40 for each @ and %2F for each / in the user, the password and the database "
            "of HITL_READ_MODEL, found a URL that can be read in two ways"
        )
    before = f"{url.partition('//')[0]}//{credentials}{place}"
    given = [each for each in query.split("&") if each]
    schemas = [each.partition("=")[2] for each in given if each.startswith("schema=")]
    rest = "&".join(each for each in given if not each.startswith("schema="))
    schema = unquote(schemas[-1]) if schemas else DEFAULT_SCHEMA
    return PostgresPlace(url=f"{before}?{rest}" if rest else before, schema=checked_schema(schema))


def _parts(url: str) -> tuple[str, str, str]:
    """`USER:PASSWORD@` if it is there, what stands before the `?`, and what after it.

    As PostgreSQL's library parts them: the first are up to an @ before which there is no /.
    """
    rest = url.partition("//")[2]
    credentials, at, _ = rest.partition("@")
    known = f"{credentials}@" if at and "/" not in credentials else ""
    place, _, query = rest.removeprefix(known).partition("?")
    return known, place, query


def checked_schema(schema: str) -> str:
    """A name that needs no quotes, and none of PostgreSQL's own."""
    if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise InvalidInput(
            "expected a schema of a-z, 0-9 and _ (up to 63, not pg_...) in HITL_READ_MODEL, "
            f"found {schema[:_SHOWN_CHARACTERS]!r}"
        )
    return schema


def _scheme(url: str) -> str:
    """As much of it as holds no password."""
    name, colon, _ = url.partition(":")
    fits = colon and re.fullmatch("[A-Za-z][A-Za-z0-9+.-]{0,20}", name)
    return f"{name}:..." if fits else "no URL"
