"""Which database a read model is in, by its URL: `sqlite:///relative`, `sqlite:////absolute`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from hitl_events.errors import InvalidInput

_EXPECTED = (
    "expected HITL_READ_MODEL as sqlite:///FILE, sqlite:////ABSOLUTE/FILE or postgresql://..."
)


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL; None for one of PostgreSQL, `InvalidInput` for any other."""
    scheme, _, rest = url.partition("://")
    if scheme in {"postgresql", "postgres"}:
        return None
    path = unquote(urlsplit(f"//{rest}").path)[1:] if rest.startswith("/") else ""
    if scheme != "sqlite" or not path or "\0" in path:
        raise InvalidInput(f"{_EXPECTED}, found one that begins with {scheme[:20]!r}")
    return Path(path)
