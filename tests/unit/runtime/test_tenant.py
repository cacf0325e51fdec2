"""The tenant of a partition of the read model: pieces, fences, and what no engine wrote."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import digest_of
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.errors import CorruptLog, Fenced
from hitl_events.ports import StoredEvent
from hitl_events.projections.folding import KEPT_BYTES_MAX
from hitl_events.runtime.tenant import Tenant
from hitl_events.testing.histories import history_of
from hitl_events.testing.mixing import chained

CODEC = AvroCodec()
P = 3
Spoil = Callable[[list[StoredEvent]], list[StoredEvent]]


@pytest.fixture
def model(tmp_path: Path) -> Generator[ReadModel]:
    """An empty one."""
    with closing(open_sqlite(tmp_path / "read-model.db")) as database:
        yield ReadModel(database)


def tenant(model: ReadModel, kept_bytes: int = KEPT_BYTES_MAX) -> Tenant:
    """Of partition 3, from now on."""
    return Tenant(model, CODEC, "t.events", P, kept_bytes=kept_bytes)


def history(run_id: str = "run", first: int = 0) -> list[StoredEvent]:
    """A whole run, at these offsets."""
    values = chained(history_of(Random(7), ended=True), run_id, CODEC)
    return stored(values, first)


def stored(values: Sequence[bytes], first: int = 0) -> list[StoredEvent]:
    """One after the other."""
    return [StoredEvent(offset=first + at, value=value) for at, value in enumerate(values)]


def digest_after(events: Sequence[StoredEvent], path: Path) -> bytes:
    """What another read model comes to with these alone."""
    with closing(open_sqlite(path)) as database:
        tenant(ReadModel(database)).write(events, len(events))
        return digest_of(database)


def test_the_place_may_pass_the_last_event(model: ReadModel) -> None:
    """Marks of transactions stand behind it; the event that is checked later is the last one."""
    its = history()
    first = tenant(model)
    first.write(its, len(its) + 1)
    first.move(len(its) + 5)
    first.move(2)

    tenure = tenant(model).tenure
    assert (tenure.next_offset, tenure.last_offset) == (len(its) + 5, len(its) - 1)
    assert tenure.last == its[-1].value


def test_who_was_followed_writes_nothing(model: ReadModel) -> None:
    """Neither events nor a place: the later one goes on from where it was."""
    its = history()
    stale = tenant(model)
    stale.write(its[:2], 2)
    later = tenant(model)

    with pytest.raises(Fenced):
        stale.write(its[2:], len(its))
    with pytest.raises(Fenced):
        stale.move(9)

    assert Questions(model.database).places() == {P: 2}
    later.write(its[2:], len(its))


def test_events_that_another_wrote_are_no_corrupt_log(model: ReadModel) -> None:
    """A stale one that reads rows which are ahead of it is fenced, and the log is not blamed."""
    its = history()
    stale = tenant(model, kept_bytes=0)  # no run stays in its memory, as after many others
    stale.write(its[:2], 2)
    tenant(model).write(its[2:4], 4)

    with pytest.raises(Fenced):
        stale.write(its[2:4], 4)


def _garbage(its: list[StoredEvent]) -> list[StoredEvent]:
    return [*its[:3], replace(its[3], value=b"no event"), *its[4:]]


def _twice(its: list[StoredEvent]) -> list[StoredEvent]:
    return stored([each.value for each in [*its[:3], its[1], *its[3:]]])


def _gap(its: list[StoredEvent]) -> list[StoredEvent]:
    return stored([each.value for each in [*its[:3], *its[4:]]])


@pytest.mark.parametrize("spoilt", [_garbage, _twice, _gap])
@pytest.mark.parametrize("piece", [1, 2, 3, 4, 100])
def test_what_stands_before_a_bad_record_is_folded(
    model: ReadModel, tmp_path: Path, spoilt: Spoil, piece: int
) -> None:
    """However the log is cut into pieces; the error names topic, partition and offset."""
    its = spoilt(history())
    folds = tenant(model)

    with pytest.raises(CorruptLog) as caught:
        for at in range(0, len(its), piece):
            some = its[at : at + piece]
            folds.write(some, some[-1].offset + 1)

    assert caught.value.place == ("t.events", P, 3)
    assert Questions(model.database).places() == {P: 3}
    assert digest_of(model.database) == digest_after(history()[:3], tmp_path / "other.db")


def test_a_second_start_of_a_run_is_a_bad_record(model: ReadModel) -> None:
    """Of a run that begins nothing is read before: what is there already is found all the same."""
    its = history()
    tenant(model).write(its, len(its))

    with pytest.raises(CorruptLog) as caught:
        tenant(model).write(history("run", len(its)), 2 * len(its))

    assert caught.value.place == ("t.events", P, len(its))
    assert Questions(model.database).places() == {P: len(its)}
