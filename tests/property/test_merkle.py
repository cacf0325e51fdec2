"""Laws of the root over all runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, strategies as st

from hitl_events.audit.merkle import Head, MerkleTree, leaf_digest, root_of

IDS = st.text("abcXYZ019_.~-", min_size=1, max_size=64)
HEADS = st.builds(
    Head,
    run_id=IDS,
    seq=st.integers(1, 2**40),
    digest=st.binary(min_size=32, max_size=32),
)
LOGS = st.lists(HEADS, max_size=40, unique_by=lambda head: head.run_id)
SOME = st.lists(HEADS, min_size=1, max_size=40, unique_by=lambda head: head.run_id)


def _as_the_standard_says(leaves: Sequence[bytes]) -> bytes:
    """The recursive definition: split at the largest power of two below the number of leaves."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = _as_the_standard_says(leaves[:split]), _as_the_standard_says(leaves[split:])
    return sha256(b"\x01" + left + right).digest()


@given(heads=LOGS)
def test_the_root_is_that_of_the_standard(heads: list[Head]) -> None:
    """Built leaf by leaf, the tree has the root of its recursive definition."""
    leaves = [leaf_digest(head) for head in sorted(heads, key=lambda each: each.run_id)]

    assert root_of(heads) == _as_the_standard_says(leaves)


@given(data=st.data(), heads=LOGS)
def test_the_order_of_runs_does_not_matter(data: st.DataObject, heads: list[Head]) -> None:
    """Two logs with the same runs have one root, in whatever order these were started."""
    assert root_of(data.draw(st.permutations(heads))) == root_of(heads)


@given(data=st.data(), heads=SOME)
def test_any_change_of_a_run_changes_the_root(data: st.DataObject, heads: list[Head]) -> None:
    """Another id, seq or digest of any one run gives another root."""
    at = data.draw(st.integers(0, len(heads) - 1))
    new = data.draw(HEADS)
    field = data.draw(st.sampled_from(["run_id", "seq", "digest"]))
    changed = replace(heads[at], **{field: getattr(new, field)})
    others = [head for head in heads if head is not heads[at]]
    if changed == heads[at] or changed.run_id in {head.run_id for head in others}:
        return

    assert root_of([*others, changed]) != root_of(heads)


@given(data=st.data(), heads=SOME)
def test_a_run_more_or_less_changes_the_root(data: st.DataObject, heads: list[Head]) -> None:
    """No run can be taken out of a log, or put into it, under the same root."""
    at = data.draw(st.integers(0, len(heads) - 1))

    assert root_of([*heads[:at], *heads[at + 1 :]]) != root_of(heads)


@given(heads=SOME)
def test_a_node_is_no_leaf(heads: list[Head]) -> None:
    """The root over some runs is not the leaf of any one run made up of their digests."""
    root = root_of(heads)

    assert len(heads) == 1 or root not in {leaf_digest(head) for head in heads}
    assert sha256(b"\x01" + root + root).digest() != sha256(b"\x00" + root + root).digest()


@given(heads=LOGS)
def test_runs_and_events_are_counted(heads: list[Head]) -> None:
    """The tree knows how many runs and events it stands for."""
    tree = MerkleTree()
    for head in sorted(heads, key=lambda each: each.run_id):
        tree.add(head)

    assert (tree.runs, tree.events) == (len(heads), sum(head.seq for head in heads))


@pytest.mark.parametrize("second", ["a", "b"])
def test_heads_out_of_order_are_refused(second: str) -> None:
    """One run twice, or a run in the wrong place, is no tree."""
    tree = MerkleTree()
    tree.add(Head(run_id="b", seq=1, digest=bytes(32)))

    with pytest.raises(ValueError, match="after run 'b'"):
        tree.add(Head(run_id=second, seq=1, digest=bytes(32)))
