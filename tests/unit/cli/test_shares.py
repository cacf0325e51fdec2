"""Shares of a check: every run in exactly one, and together they say what one process would."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from hitl_services.cli.shares import Share
from tests.unit.audit.made import chained, ended, started


@given(
    run_id=st.text("abcXYZ019_.~-", min_size=1, max_size=64),
    of=st.integers(2, 9),
)
def test_a_run_is_in_one_share_by_its_id_as_by_its_records(run_id: str, of: int) -> None:
    """An id and all records that bear it belong to the same share, and to no other."""
    values = ended(run_id)
    shares = [Share(number=number, of=of) for number in range(of)]

    mine = [share for share in shares if share.has(run_id)]

    assert len(mine) == 1
    assert [list(share.spots(values)) for share in shares if share is not mine[0]] == [[]] * (
        of - 1
    )
    assert list(mine[0].spots(values)) == list(range(len(values)))


@pytest.mark.parametrize("length", [63, 64, 65, 127, 128, 200])
def test_an_id_of_any_length_has_its_share(length: int) -> None:
    """Where the length of the id takes two bytes its records still go together."""
    run_id = "a" * length
    values = chained(run_id, [started()])

    for share in (Share(number=number, of=3) for number in range(3)):
        assert bool(list(share.spots(values))) == share.has(run_id)


def test_what_is_no_record_is_in_one_share() -> None:
    """Bytes that are too short for an event are checked once, beside events of others."""
    values = [b"", ended("one")[0], b"\xc3\x01", ended("two")[0]]

    found = [spot for number in range(3) for spot in Share(number=number, of=3).spots(values)]

    assert sorted(found) == [0, 1, 2, 3]
