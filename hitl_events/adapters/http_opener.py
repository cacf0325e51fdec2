"""Where and how an answer is asked for over HTTP; the question may show a password."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
)

_SENT = re.compile(r"[!-~]+")


def http_place(url: str) -> SplitResult | None:
    """The parts of an `http(s)://HOST[:PORT]/...` that can be asked; None for what is none.

    A user before the host and a query are not looked at.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    asked = parts.netloc.rpartition("@")[2] + parts.path
    return parts if known and _SENT.fullmatch(asked) else None


def http_opener() -> OpenerDirector:
    """As urllib's own, but it follows nobody elsewhere: the credentials would go along."""
    opener = OpenerDirector()
    for handler in (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler):
        opener.add_handler(handler())
    opener.add_handler(HTTPErrorProcessor())
    return opener
