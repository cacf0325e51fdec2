"""Tokens for SASL OAUTHBEARER: from a file that somebody renews, or asked for by HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import AuthenticationFailedError

from hitl_events.adapters.http_opener import http_opener
from hitl_events.adapters.kafka.settings import Sasl

ASK_S = 3.0
ANSWER_BYTES_MAX = 64 * 1024
"""A token with many claims has some KiB."""
_RENEW_AT = 0.8
"""Of its life: a new token is asked for before the old one ends."""
_LIFE_S_DEFAULT = 60.0


class FileToken(AbstractTokenProvider):  # type: ignore[misc]  # the driver has no types
    """Reads the file anew for each connection, as mounted service account tokens are renewed."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    async def token(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]  # theirs says None and means str
        try:
            text = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "other bytes than ASCII"
            raise _no_token(f"a token in {self._path}", said or "nothing") from None
        if not text:
            raise _no_token(f"a token in {self._path}", "an empty file")
        return text


class AskedToken(AbstractTokenProvider):  # type: ignore[misc]  # the driver has no types
    """Asks with client credentials (RFC 6749 section 4.4); one token serves all connections."""

    def __init__(self, sasl: Sasl) -> None:
        self._sasl = sasl
        self._held = ""
        self._renew_at_s = 0.0

    async def token(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]  # theirs says None and means str
        if time.monotonic() >= self._renew_at_s:
            asked_s = time.monotonic()
            answer = await asyncio.to_thread(self._ask)
            self._held = str(answer["access_token"])
            self._renew_at_s = asked_s + _RENEW_AT * _life_s(answer)
        return self._held

    def _ask(self) -> dict[str, Any]:
        url = self._sasl.token_url or ""
        place = url.partition("?")[0]  # behind it there may be a secret
        try:
            with http_opener().open(self._request(url), timeout=ASK_S) as response:
                answer = json.loads(response.read(ANSWER_BYTES_MAX))
        except urllib.error.HTTPError as error:
            error.close()  # it holds the connection
            raise _no_token(f"a token from {place}", f"HTTP {error.code}") from None
        except (OSError, HTTPException, ValueError) as error:
            raise _no_token(f"a token from {place}", _said(error)) from None
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise _no_token(f"an access_token from {place}", "an answer without one")
        return answer

    def _request(self, url: str) -> urllib.request.Request:
        sasl = self._sasl
        secret = "" if sasl.password is None else sasl.password.reveal()
        who = ":".join(urllib.parse.quote(each, safe="") for each in (sasl.username or "", secret))
        form = {"grant_type": "client_credentials"}
        if sasl.scope is not None:
            form["scope"] = sasl.scope
        head = {"Authorization": f"Basic {base64.b64encode(who.encode()).decode()}"}
        body = urllib.parse.urlencode(form).encode()
        return urllib.request.Request(url, data=body, headers=head)  # noqa: S310 - the scheme was checked with the settings


def token_provider(sasl: Sasl) -> AbstractTokenProvider | None:
    """Where the tokens come from; None for other mechanisms."""
    if sasl.mechanism != "OAUTHBEARER":
        return None
    return FileToken(sasl.token_file) if sasl.token_file is not None else AskedToken(sasl)


def _said(error: Exception) -> str:
    """Why there was no answer; what was answered is not shown, it may hold a token."""
    reason = getattr(error, "reason", None)
    return str(reason) if isinstance(reason, OSError) else type(error).__name__


def _life_s(answer: dict[str, Any]) -> float:
    found = answer.get("expires_in")
    return float(found) if isinstance(found, int | float) and found > 0 else _LIFE_S_DEFAULT


def _no_token(expected: str, found: str) -> AuthenticationFailedError:
    """An error of the driver's own kind: any other would end its background tasks."""
    return AuthenticationFailedError(f"expected {expected}, found {found}")
