"""One digest for all runs of a log: the root of a Merkle tree over their heads (RFC 9162, 2.1.1).

Leaves and nodes are hashed under different first bytes, so that no node can be passed off as a
leaf. The leaves stand in the order of their run ids: the root says which runs there are and how far
each went, not in which order they came.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from hitl_events.domain.values import value

_LEAF, _NODE = b"\x00", b"\x01"
_ID_LENGTH_BYTES = 2
_SEQ_BYTES = 8


@value
class Head:
    """How far a run went: the seq of its last event, and the SHA-256 of that event's record."""

    run_id: str
    seq: int
    digest: bytes


class MerkleTree:
    """Give it the heads by ascending run id (`add`); `root` is that of those so far.

    It keeps one digest for each level of the tree: 20 for a million runs.
    """

    def __init__(self) -> None:
        self.runs = 0
        self.events = 0
        self._last = ""
        self._whole: list[tuple[int, bytes]] = []
        """Subtrees of 2^level leaves each, the largest first."""

    def add(self, head: Head) -> None:
        """The next head; `ValueError` if its id does not come after the one before it."""
        if self.runs and head.run_id <= self._last:
            raise ValueError(f"run {head.run_id!r} after run {self._last!r}")
        self._last = head.run_id
        self.runs += 1
        self.events += head.seq
        level, digest = 0, leaf_digest(head)
        while self._whole and self._whole[-1][0] == level:
            _, left = self._whole.pop()
            level, digest = level + 1, _node_digest(left, digest)
        self._whole.append((level, digest))

    def root(self) -> bytes:
        """32 bytes; of no runs at all the SHA-256 of nothing."""
        if not self._whole:
            return sha256().digest()
        (_, digest), *larger = reversed(self._whole)
        for _, left in larger:
            digest = _node_digest(left, digest)
        return digest


def root_of(heads: Iterable[Head]) -> bytes:
    """The root over these heads, in whatever order they come; all of them are held at once."""
    tree = MerkleTree()
    for head in sorted(heads, key=lambda each: each.run_id):
        tree.add(head)
    return tree.root()


def leaf_digest(head: Head) -> bytes:
    """The leaf of a run: length and bytes of its id, its seq, its digest, high byte first."""
    name = head.run_id.encode()
    size, seq = len(name).to_bytes(_ID_LENGTH_BYTES), head.seq.to_bytes(_SEQ_BYTES)
    return sha256(_LEAF + size + name + seq + head.digest).digest()


def _node_digest(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()
