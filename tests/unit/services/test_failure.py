"""How errors of the library end a process or a command."""

import pytest

from hitl_events.errors import (
    HitlError,
    NoThread,
    OffsetOutside,
    PartitionsChanged,
    RunLeft,
    TopicDiffers,
)
from hitl_services.failure import UNREACHABLE, USAGE, failure_of


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (TopicDiffers("hitl.decisions", 2, 3), USAGE),
        (PartitionsChanged("hitl.events", 3, 2), USAGE),
        (OffsetOutside("hitl.decisions", 0, 2, (8, 16)), UNREACHABLE),
    ],
)
def test_topics_that_differ_end_a_process_with_a_code_it_documents(
    error: HitlError, exit_code: int
) -> None:
    """A number of partitions is no matter for a restart, whichever way it is found out."""
    failure = failure_of(error)

    assert (failure.exit_code, failure.code) == (exit_code, "log.differs")


def test_a_run_that_was_left_is_named_in_the_document() -> None:
    """A program that started a run without an id finds there which one to go on with."""
    failure = failure_of(RunLeft("a", "expected room, found none"))

    assert failure.exit_code == UNREACHABLE
    assert failure.document()["run_id"] == "a"


def test_a_process_that_gets_no_thread_ends_as_one_whose_surroundings_fail() -> None:
    """A supervisor starts it again; nothing is said against the step."""
    failure = failure_of(NoThread("send", "can't start new thread"))

    assert (failure.exit_code, failure.code) == (UNREACHABLE, "process.no_thread")
