"""What the errors of the library promise of themselves."""

from __future__ import annotations

import pickle

import pytest

from hitl_events.errors import CorruptLog, HitlError, OffsetOutside, RunLeft, UnknownRecipe


@pytest.mark.parametrize(
    "error",
    [
        UnknownRecipe("policy", "2", ("policy 1",)),
        CorruptLog("block 3", "cut", place=("hitl.events", 0, 7)),
        OffsetOutside("hitl.events", 0, 9, (3, 5)),
        RunLeft("r", "expected room, found none"),
    ],
)
def test_an_error_crosses_to_another_process_whole(error: HitlError) -> None:
    """Its kind, message and attributes, however many arguments it is made of."""
    found = pickle.loads(pickle.dumps(error))

    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))
