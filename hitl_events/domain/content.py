"""Digests of what a command says: whether two of them are the same one, sent again."""

from __future__ import annotations

from hitl_events.domain.canonical import NULL, dumps
from hitl_events.domain.values import digest


def content_digest(
    *,
    token: str,
    verdict: str,
    notes: str | None = None,
    data: bytes | None = None,
    decided_by: str | None = None,
    draft_digest: bytes | None = None,
) -> bytes:
    """SHA-256 of the canonical JSON of these six, absent = null, the draft's digest in lower hex.

    `data` is canonical JSON already. `NotSerialisable` for text with a lone surrogate.
    """
    drafted = None if draft_digest is None else draft_digest.hex()
    # Canonical JSON is made of canonical parts, in the order of the names.
    return digest(
        b'{"data":%b,"decided_by":%b,"draft_digest":%b,"notes":%b,"token":%b,"verdict":%b}'
        % (
            NULL if data is None else data,
            NULL if decided_by is None else dumps(decided_by),
            NULL if drafted is None else dumps(drafted),
            NULL if notes is None else dumps(notes),
            dumps(token),
            dumps(verdict),
        )
    )


def start_digest(recipe: str, input_: bytes) -> bytes:
    """SHA-256 of the canonical JSON of a recipe's name and its input, which is canonical already.

    Two starts of one run id are the same if it is: otherwise the second is refused (`run_exists`).
    """
    return digest(b'{"input":%b,"recipe":%b}' % (input_, dumps(recipe)))
