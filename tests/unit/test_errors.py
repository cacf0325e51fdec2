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
        OffsetOutside("hitl.commands", 0, 1, (3, 5), "hitl-engine"),
        RunLeft("r", "expected room, found none"),
    ],
)
def test_an_error_crosses_to_another_process_whole(error: HitlError) -> None:
    """Its kind, message and attributes, however many arguments it is made of."""
    found = pickle.loads(pickle.dumps(error))

    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))


def test_records_that_a_group_can_not_read_any_more_name_the_group_to_move() -> None:
    """What is gone for good is got over by a move of the group, so the line names it."""
    told = str(OffsetOutside("hitl.commands", 3, 2, (3, 5), "hitl-engine"))

    assert "hitl.commands-3" in told
    assert "move the group 'hitl-engine'" in told
