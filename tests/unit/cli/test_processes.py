"""Several processes: results in the order of the jobs, and none left however they end."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from hitl_events.errors import LogUnavailable
from hitl_services.cli.processes import all_of
from tests.unit.cli.jobs import Doubled, Ends


def test_results_come_in_the_order_of_the_jobs() -> None:
    """Each job runs in a process of its own; what they tell is heard before they are done."""
    heard: list[int] = []

    found = all_of([Doubled(number=number) for number in (3, 1, 2)], heard.append)

    assert found == [6, 2, 4]
    assert sorted(heard) == [1, 2, 3]
    assert multiprocessing.active_children() == []


def test_a_single_job_needs_no_other_process() -> None:
    """Little work is done where it is asked for."""
    heard: list[int] = []

    assert all_of([Doubled(number=4)], heard.append) == [8]
    assert heard == [4]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("killed", "killed by signal 9"),
        ("exits", "exit code 3"),
        ("corrupt", "expected sound bytes, found others"),
        ("defect", "in hitl itself: KeyError"),
    ],
)
def test_the_first_that_fails_ends_all(how: str, told: str) -> None:
    """One error says what happened; those that were at work are ended and waited for."""
    pids: list[int] = []

    with pytest.raises(LogUnavailable, match=told):
        all_of([Ends(how="waits"), Ends(how=how)], pids.append)

    assert multiprocessing.active_children() == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_whoever_listens_may_stop() -> None:
    """An error of the listener, as Ctrl-C is one, leaves no process behind."""

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        all_of([Ends(how="waits"), Ends(how="waits")], stop)

    assert multiprocessing.active_children() == []
