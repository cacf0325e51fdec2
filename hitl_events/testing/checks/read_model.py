"""The promises of a read model's database: a piece and its offset together, by one writer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hitl_events.adapters.readmodel.contents import digest_of
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.domain.values import RunId
from hitl_events.errors import Fenced, HitlError, LogUnavailable
from hitl_events.projections.folding import Folding
from hitl_events.projections.rows import Rows
from hitl_events.projections.store import Proof
from hitl_events.testing.checks.promise import BrokenPromise, same, stated
from hitl_events.testing.checks.read_model_answers import ANSWERS
from hitl_events.testing.checks.read_model_samples import (
    CODEC,
    MakePlace,
    Place,
    PlacePromise,
    Told,
    Writer,
    differences,
    filled,
    looked_at,
    opened,
    refused,
)
from hitl_events.testing.checks.samples import HUGE_BYTES, Story, noise, together


def check_read_model(make: MakePlace) -> None:
    """Everything that the read model asks of its database, each promise in a fresh place."""
    for promise in PROMISES:
        with make() as place:
            keep_in(place, promise)


def keep_in(place: Place, promise: PlacePromise) -> None:
    """Hold one place to one promise."""
    try:
        promise(place)
    except BrokenPromise as broken:
        raise BrokenPromise(f"{stated(promise)}\n{broken}") from None
    except HitlError as error:
        found = f"expected no error, found {type(error).__name__}: {error}"
        raise BrokenPromise(f"{stated(promise)}\n{found}") from error


def a_piece_comes_with_its_offset(place: Place) -> None:
    """Once a piece is written, every other connection finds its rows and the offset after it."""
    told = Told(1)
    with opened(place) as model, looked_at(place) as reader:
        writer = Writer(model)
        for start in range(0, len(told.log), 40):
            writer.write(told.log[start : start + 40])
            end = min(start + 40, len(told.log))

            same(Questions(reader).places(), {0: end})
            same(_events_in(reader), end, "events beside that offset")


def a_failed_piece_leaves_nothing(place: Place) -> None:
    """A piece of which one row can not be written is not written at all; the next one is."""
    told = Told(2)
    first, rest = told.log[:30], told.log[30:]
    with opened(place) as model:
        writer = filled(model, first)
        before = digest_of(model.database)
        again = Writer(model, partition=1)

        # the fold of one who does not know what is there writes events a second time
        rows = _blind(first)
        refused(HitlError, lambda: model.write(again.tenure, rows, 30, 29))

        same(digest_of(model.database), before)
        same(Questions(model.database).places(), {0: 30, 1: 0})
        writer.write(rest)
        same(differences(model.database, told.runs), [])


def a_stale_writer_is_fenced(place: Place) -> None:
    """Once a partition is taken over, whoever wrote it before can write nothing more."""
    told = Told(3)
    with opened(place) as one, opened(place) as two:
        stale = filled(one, told.log[:30])
        next_one = Writer(two)
        same(next_one.tenure.epoch > stale.tenure.epoch, True, "a higher epoch")
        before = digest_of(two.database)

        refused(Fenced, lambda: stale.write(told.log[30:40]))
        same(digest_of(two.database), before)
        next_one.write(told.log[30:])
        refused(Fenced, lambda: one.write(stale.tenure, Rows(), 40, 39))

        same(differences(two.database, told.runs), [])


def a_piece_is_written_once(place: Place) -> None:
    """A piece that was written is refused the second time, whoever brings it."""
    told = Told(4)
    with opened(place) as model:
        writer = Writer(model)
        before = writer.tenure
        writer.write(told.log[:20], piece=20)

        empty = Rows()
        refused(Fenced, lambda: model.write(before, _blind(told.log[:20]), 20, 19))
        refused(Fenced, lambda: model.write(before, empty, 20, 19))

        writer.write(told.log[20:])
        same(differences(model.database, told.runs), [])


def partitions_do_not_fence_each_other(place: Place) -> None:
    """Each partition has its own writer and offset; `fence_all` ends all of them."""
    told = Told(5)
    logs = told.partitions(3)
    with opened(place) as one, opened(place) as two:
        writers = [Writer(model, number) for number, model in enumerate((one, two, one))]
        for writer, values in zip(writers, logs, strict=True):
            half = len(values) // 2
            writer.write(values[:half], piece=9)
        two.fence_all()
        for tenure in [writer.tenure for writer in writers]:
            refused(Fenced, partial(one.write, tenure, Rows(), tenure.next_offset, 0))

        for number, values in enumerate(logs):
            writer = Writer(two, number)
            writer.write(values[writer.tenure.next_offset :])

        same(differences(two.database, told.runs), [])
        ends = {number: len(values) for number, values in enumerate(logs)}
        same(Questions(one.database).places(), ends)


def who_takes_over_is_told_where_it_ended(place: Place) -> None:
    """A taking over gives the next offset, and the event with which the fold ended."""
    told = Told(6)
    with opened(place) as model:
        first = Writer(model).tenure
        same((first.next_offset, first.last_offset, first.last), (0, None, None))
        filled(model, told.log[:33], piece=10)

    with opened(place) as model:
        found = Writer(model).tenure
        same((found.next_offset, found.last_offset), (33, 32))
        same(found.last, told.log[32], "the last event")
        moved = model.write(found, Rows(), 40, 39)
        same(Writer(model).tenure.next_offset, moved.next_offset, "offset after no events")


def who_begins_is_told_what_stands_beside(place: Place) -> None:
    """A partition that is new is taken with the last event of another: it must be one log."""
    told = Told(7)
    with opened(place) as model:
        same(Writer(model, partition=2).tenure.proof, None, "a proof where nothing was folded")
        writer = filled(model, told.log[:30])

        proof = Writer(model, partition=1).tenure.proof
        same(proof, Proof(partition=0, offset=29, value=told.log[29]))
        same(writer.tenure.proof, proof, "the proof of the one that was folded")


def runs_are_loaded_whole(place: Place) -> None:
    """All events of a run are loaded byte for byte, seq 1 first; unknown runs are absent."""
    stories = [Story(f"run-{number}") for number in range(900)]
    ids = [story.run_id for story in stories]
    with opened(place) as model:
        writer = Writer(model)
        for count in (1, 2):
            batch = together(*stories, count=count)
            writer.write([each.value for each in batch.events], piece=700)

        same(dict(model.load(ids)), {story.run_id: story.values for story in stories})
        same(dict(model.load([RunId("run"), RunId("RUN-1"), RunId("run-"), RunId("")])), {})
        same(dict(model.load([])), {})


def events_may_be_huge(place: Place) -> None:
    """An event of 900 KiB comes back byte for byte, among small ones."""
    story = Story("huge")
    for output in (b"1", noise(HUGE_BYTES), b"2", b" " * HUGE_BYTES):
        story.tell(1 if story.seq else 2, output)
    with opened(place) as model:
        filled(model, story.values, piece=2)

        same(Questions(model.database).events("huge") == tuple(story.values), True, "the same")


def a_connection_that_ends_leaves_nothing(place: Place) -> None:
    """What was written in a transaction that never ended is not there, and nobody waits for it."""
    told = Told(7)
    with opened(place) as model:
        filled(model, told.log[:30])
        before = digest_of(model.database)
    lost = place.open()
    entered = lost.transaction()
    entered.__enter__()
    lost.change("UPDATE places SET next_offset = ? WHERE partition = ?", [(99, 0)])
    lost.close()

    with opened(place) as model:
        same(Questions(model.database).places(), {0: 30})
        same(digest_of(model.database), before)
        writer = Writer(model)
        writer.write(told.log[30:])
        same(differences(model.database, told.runs), [])


def a_reader_can_not_write(place: Place) -> None:
    """A connection that was opened for reading changes nothing; without a model there is none."""
    refused(LogUnavailable, lambda: place.open(writable=False))
    with opened(place) as model:
        filled(model, Told(8, count=2).log)
        before = digest_of(model.database)
        with looked_at(place) as reader:
            refused(HitlError, lambda: reader.change("DELETE FROM events", [()]))

        same(digest_of(model.database), before)


def a_stream_goes_on_beside_writes(place: Place) -> None:
    """What is written between two rows of a stream is committed, and no part of the stream."""
    stories = [Story(f"run-{number:04}") for number in range(1_200)]
    later = Story("run-9999")
    with opened(place) as model, looked_at(place) as reader:
        writer = filled(model, [each.value for each in together(*stories).events], piece=500)
        stream = Questions(model.database).run_ids()
        first = next(stream)
        writer.write([each.value for each in later.tell(1)])

        same(_events_in(reader), 1_201)
        found = [first, *stream]
        same(found[:1_200], [story.run_id for story in stories])


def _events_in(database: Database) -> int:
    counters = Questions(database).counters()
    return sum(held for (name, _), held in counters.items() if name == "events")


def _blind(values: Sequence[bytes]) -> Rows:
    """Their rows as if nothing had been written."""
    return Folding(CODEC, lambda _: {}).fold(values)


PROMISES: tuple[PlacePromise, ...] = (
    a_piece_comes_with_its_offset,
    a_failed_piece_leaves_nothing,
    a_stale_writer_is_fenced,
    a_piece_is_written_once,
    partitions_do_not_fence_each_other,
    who_takes_over_is_told_where_it_ended,
    who_begins_is_told_what_stands_beside,
    runs_are_loaded_whole,
    events_may_be_huge,
    a_connection_that_ends_leaves_nothing,
    a_reader_can_not_write,
    a_stream_goes_on_beside_writes,
    *ANSWERS,
)
