"""A signed checkpoint: the heads of all runs at one moment, their Merkle root, a signature.

One JSON object in a line, canonically spelt: a first line, one for each run by ascending id, and a
last line that is signed. So a million runs are written and checked in the memory of one, and every
byte is either under the root or under the signature. Who may sign is not known here: keys and
signatures are bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hitl_events.audit.merkle import Head, MerkleTree
from hitl_events.domain import canonical
from hitl_events.domain.values import value
from hitl_events.errors import NotSerialisable, UnsoundCheckpoint

FORMAT = 1
LINE_BYTES_MAX = 4096
"""Of any line: a run's has 180 at most, the last one 500."""
CHECKPOINT_TYPE = "Checkpoint"
_HEADER = {"format": FORMAT, "type": CHECKPOINT_TYPE}
_SIGNED_TYPE = "Signed"
_PURPOSE = b"hitl-events checkpoint\n"
"""Before what is signed, so that the key's signature of another text is none of a checkpoint."""
_DIGEST_BYTES, _SIGNATURE_BYTES = 32, 64

Sign: TypeAlias = Callable[[bytes], bytes]
Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""Public key, signature, message."""


@value
class Statement:
    """What is signed: how much there was at that time, under which root, and by which key."""

    at: str
    runs: int
    events: int
    root: bytes
    key: bytes

    def to_json(self) -> dict[str, Any]:
        """The fields of the last line, but the signature."""
        return {
            "at": self.at,
            "events": self.events,
            "format": FORMAT,
            "key": self.key.hex(),
            "root": self.root.hex(),
            "runs": self.runs,
            "type": _SIGNED_TYPE,
        }

    def signed_bytes(self) -> bytes:
        """The message under the signature."""
        return _PURPOSE + canonical.dumps(self.to_json())


def header_line() -> bytes:
    """The first line, with its line feed as all lines here."""
    return canonical.dumps(_HEADER) + b"\n"


def head_line(head: Head) -> bytes:
    """The line of a run."""
    return canonical.dumps(_head_json(head)) + b"\n"


def signed_line(statement: Statement, sign: Sign) -> bytes:
    """The last line."""
    signature = sign(statement.signed_bytes())
    return canonical.dumps({**statement.to_json(), "signature": signature.hex()}) + b"\n"


class CheckpointCheck:
    """Give it the lines in order, then `finish`; `UnsoundCheckpoint` at the first that is wrong.

    Believe no head before `finish` has returned: what is signed stands in the last line. With a
    `key` no other may have signed.
    """

    def __init__(self, verify: Verify, *, key: bytes | None = None) -> None:
        self._verify = verify
        self._key = key
        self._tree = MerkleTree()
        self._number = 0
        self._statement: Statement | None = None

    def add(self, line: bytes) -> Head | None:
        """The next line; the head in it, if it is that of a run."""
        self._number += 1
        if self._statement is not None:
            raise self._unsound("nothing after the signed line", "one more line")
        if self._number == 1:
            if line != header_line():
                raise self._unsound(f"a checkpoint of format {FORMAT}", "another first line")
            return None
        held = self._object(line)
        if held.get("type") == _SIGNED_TYPE:
            self._statement = self._signed(held, line)
            return None
        return self._head(held, line)

    def finish(self) -> Statement:
        """There are no more lines; what was signed."""
        if self._statement is None:
            raise self._unsound("the signed line last", "none: the checkpoint was cut")
        return self._statement

    def _object(self, line: bytes) -> dict[str, Any]:
        try:
            held = canonical.loads(line)
        except (ValueError, RecursionError):
            held = None
        if not isinstance(held, dict):
            raise self._unsound("a JSON object", "none")
        return held  # pyright: ignore[reportUnknownVariableType]  # what JSON holds is looked at by name

    def _head(self, held: dict[str, Any], line: bytes) -> Head:
        try:
            digest = bytes.fromhex(held["digest"])
            head = Head(run_id=held["run_id"], seq=held["seq"], digest=digest)
            if head_line(head) != line or len(digest) != _DIGEST_BYTES or not _is_count(head.seq):
                raise ValueError("another spelling")
            self._tree.add(head)
        except (KeyError, TypeError, ValueError, AttributeError, NotSerialisable) as error:
            raise self._unsound("a run's id, seq and digest, by ascending id", str(error)) from None
        return head

    def _signed(self, held: dict[str, Any], line: bytes) -> Statement:
        try:
            statement = Statement(
                at=held["at"],
                runs=held["runs"],
                events=held["events"],
                root=bytes.fromhex(held["root"]),
                key=bytes.fromhex(held["key"]),
            )
            signature = bytes.fromhex(held["signature"])
            if signed_line(statement, lambda _: signature) != line:
                raise ValueError("another spelling")
        except (KeyError, TypeError, ValueError, AttributeError, NotSerialisable) as error:
            wanted = "a time, counts, a root, a key and a signature"
            raise self._unsound(wanted, str(error)) from None
        self._believe(statement, signature)
        return statement

    def _believe(self, statement: Statement, signature: bytes) -> None:
        if self._key is not None and statement.key != self._key:
            wanted = f"a signature of the key {self._key.hex()}"
            raise self._unsound(wanted, f"one of the key {statement.key.hex()}")
        if not self._verify(statement.key, signature, statement.signed_bytes()):
            raise self._unsound("a signature that fits", "one that does not: it was changed")
        found = self._tree.root(), self._tree.runs, self._tree.events
        if found != (statement.root, statement.runs, statement.events):
            wanted = f"{statement.runs} runs under the signed root {statement.root.hex()}"
            raise self._unsound(wanted, f"{found[1]} runs under {found[0].hex()}")

    def _unsound(self, wanted: str, found: str) -> UnsoundCheckpoint:
        return UnsoundCheckpoint(f"line {self._number}: expected {wanted}, found {found}")


def missing(seq: int, last: int) -> tuple[int, str]:
    """The event from which on a run is not what its checkpoint says, and what is wrong with it.

    Its last event has the seq `last`; 0 where there is no event at all.
    """
    if last == 0:
        return 1, f"expected the run, of which the checkpoint has {seq} events, found none of it"
    if last < seq:
        problem = f"expected events up to {seq}, as in the checkpoint, found the last to be {last}"
        return last + 1, f"{problem}: the tail was cut"
    return seq, "expected the event of which the checkpoint has the digest, found it unreadable"


def _head_json(head: Head) -> dict[str, Any]:
    return {"digest": head.digest.hex(), "run_id": head.run_id, "seq": head.seq}


def _is_count(number: object) -> bool:
    return type(number) is int and number > 0
