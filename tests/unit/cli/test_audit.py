"""`hitl audit` run by run: what it holds, what it asks for, and that a topic tells the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import pytest

from hitl_events.client.spool import Spool
from hitl_events.errors import InvalidInput, UnknownRun
from hitl_events.projections.selection import Decided, Selection
from hitl_services.cli.audit import Asked, through
from hitl_services.cli.store import Store
from hitl_services.cli.topic_store import TopicStore
from tests.golden import make_histories as plays
from tests.unit.audit.made import chained, ended, started, waiting
from tests.unit.cli.paged_log import PagedLog
from tests.unit.client.stored import stored

NOW = datetime(2026, 3, 10, tzinfo=UTC)


def _store(runs: Mapping[str, list[bytes]]) -> tuple[Store, PagedLog]:
    log = PagedLog(runs)
    return Store(log, lambda: None, place="here", empty=False), log


async def _listed(store: Store, wanted: Selection) -> list[tuple[str, int]]:
    found: list[Decided] = []
    await through(store, wanted, lambda _: None, found.append)
    return [(row.run_id, row.seq) for each in found for row in (*each.decisions, *each.attempts)]


async def test_a_run_is_written_before_the_next_is_read() -> None:
    """The number of runs does not count in memory: neither their events nor their positions."""
    store, log = _store({name: ended(name) for name in ("a", "b")})

    def take(decided: Decided) -> None:
        log.asked.append(f"write {decided.decisions[0].run_id}")

    tally = await through(store, Selection(), lambda _: None, take)

    assert log.asked == ["page a", "load a", "write a", "page b", "load b", "write b"]
    assert (tally.decisions, tally.attempts) == (2, 2)


async def test_runs_that_are_named_are_known_before_the_first_is_given() -> None:
    """An unknown one is told before anything is written."""
    store, log = _store({name: ended(name) for name in ("a", "b")})

    async def read(run_ids: Collection[str]) -> list[str]:
        return [run_id async for run_id, _ in store.histories(run_ids)]

    assert await read(["b"]) == ["b"]
    assert await read(["b", "a"]) == ["a", "b"]
    log.asked.clear()
    with pytest.raises(UnknownRun):
        await read(["a", "nosuch"])
    assert [each for each in log.asked if each.startswith("load")] == []


async def test_runs_outside_of_the_filters_are_left_out() -> None:
    """By their first event, by their last, or because nothing was decided in them."""
    other = chained("other", [started("another")])
    store, _ = _store({"other": other, "ended": ended(), "waiting": waiting()})

    assert await _listed(store, Selection()) == [("ended", 4), ("ended", 7)]
    assert await _listed(store, Selection(recipe="another")) == []
    assert await _listed(store, Selection(since=NOW)) == []


async def test_a_topic_tells_the_same_as_a_log() -> None:
    """Folded from the topic of events the same decisions are listed, in the order of the starts."""
    runs = {str(play.run_id): play.values for play in (plays.reviewed(), plays.denied())}
    spool = Spool()
    for partition, (run_id, values) in enumerate(runs.items()):
        spool.add(stored(each, key=run_id.encode(), partition=partition) for each in values)
    spool.fold()

    topic = await _listed(TopicStore(spool, lambda: None, place="there", empty=False), Selection())
    log = await _listed(_store(runs)[0], Selection())

    spool.close()
    assert sorted(topic) == sorted(log)
    assert len(topic) == 5


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Asked(verdict=""), "expected a name as --verdict"),
        (Asked(since="soon"), "as --since, found 'soon'"),
        (Asked(until="2026-13-01"), "as --until"),
        (Asked(since="2026-02-02", until="2026-02-01"), "found '2026-02-02' and '2026-02-01'"),
        (Asked(since="2026-02-01T00:00", until="2026-02-01T00:00"), "--since before"),
    ],
)
def test_a_filter_that_can_choose_nothing_is_refused(asked: Asked, told: str) -> None:
    """One line names the option, what was expected and what was found."""
    with pytest.raises(InvalidInput, match=told):
        asked.selection(NOW)


def test_a_period_of_one_day_is_that_day() -> None:
    """From its first moment to before the next one's."""
    period = Asked(since="2026-02-01", until="2026-02-01").selection(NOW)

    assert period.since == datetime(2026, 2, 1, tzinfo=UTC)
    assert period.until == datetime(2026, 2, 2, tzinfo=UTC)
