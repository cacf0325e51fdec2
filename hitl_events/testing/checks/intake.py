"""The promises of `Intake`: durable once put, in order, and answered exactly once."""

from __future__ import annotations

from dataclasses import replace

from hitl_events.domain.values import RunId
from hitl_events.errors import HitlError, InvalidInput
from hitl_events.ports import Answer, EffectBatch, InboundRecord
from hitl_events.testing.checks.promise import (
    BrokenPromise,
    Make,
    OwnedIntake,
    Promise,
    Storage,
    keep,
    owner,
    owner_after_restart,
    refuses,
    same,
    values,
)
from hitl_events.testing.checks.samples import Story, refusal, submission

_YES = Answer(run_id=RunId("run-1"), seq=4)


async def check_intake(make: Make[OwnedIntake]) -> None:
    """Everything that an `Intake` promises those who put and those who take."""
    await keep(PROMISES, make)


async def records_come_back_as_they_were(storage: Storage[OwnedIntake]) -> None:
    """A record is taken as it was put: key and value byte for byte, headers in their order."""
    log = await storage.open()
    put = [
        submission(b"\x00\xff", key=None),
        submission(b"", key=b""),
        replace(submission(b"x" * 256 * 1024), kind="command", channel="http", headers=()),
    ]
    for record in put:
        await log.put(record)

    taken = await log.take(0, 10)
    same([replace(record, source=put[0].source, number=0) for record in taken], put)


async def offsets_grow(storage: Storage[OwnedIntake]) -> None:
    """A later record has a larger offset and no earlier time, and its source says its place."""
    log = await storage.open()
    offsets = [await log.put(submission()) for _ in range(5)]

    taken = await log.take(0, 10)
    same([record.number for record in taken], offsets)
    same(offsets, sorted(set(offsets)), "growing offsets")
    places = {(record.source.partition, record.source.offset) for record in taken}
    same(len(places), 5, "places, one for each")
    times = [record.source.timestamp_ms for record in taken]
    same(times, sorted(times), "times that do not go back")
    same(
        [bool(record.source.topic) and time > 0 for record, time in zip(taken, times, strict=True)],
        [True] * 5,
    )


async def it_is_taken_in_pieces(storage: Storage[OwnedIntake]) -> None:
    """`take` gives the next ones after an offset, as many as asked for."""
    log = await storage.open()
    offsets = [await log.put(submission(str(n).encode())) for n in range(5)]

    same(await _taken(log, after=0, limit=2), offsets[:2])
    same(await _taken(log, after=offsets[1], limit=2), offsets[2:4])
    same(await _taken(log, after=offsets[4], limit=2), [])


async def anybody_may_put(storage: Storage[OwnedIntake]) -> None:
    """Who does not own the log puts into its intake; the owner finds it there."""
    log, other = await owner(storage), await storage.open()
    log.changed()

    offset = await other.put(submission())

    same(log.changed(), True, "a change to notice")
    same(await _taken(log), [offset])


async def answers_reach_everybody(storage: Storage[OwnedIntake]) -> None:
    """An answer comes with the batch that decides it, whole, to all; before that there is none."""
    log, other = await owner(storage), await storage.open()
    offsets = [await other.put(submission()) for _ in range(3)]
    same([await other.answer(offset) for offset in offsets], [None] * 3)
    answers = [_YES, refusal(), Answer(run_id=None, seq=None, reason="invalid_token")]

    await log.append(EffectBatch(settled=list(zip(offsets, answers, strict=True))))

    same([await other.answer(offset) for offset in offsets], answers)
    same([await log.answer(offset) for offset in offsets], answers)
    same(await log.answer(offsets[-1] + 1), None)


async def the_answered_is_not_taken(storage: Storage[OwnedIntake]) -> None:
    """`take` leaves out what is answered, also in the middle."""
    log = await owner(storage)
    offsets = [await log.put(submission()) for _ in range(5)]

    await log.append(EffectBatch(settled=[(offsets[3], _YES), (offsets[1], _YES)]))

    same(await _taken(log), [offsets[0], offsets[2], offsets[4]])


async def who_has_taken_all_is_caught_up(storage: Storage[OwnedIntake]) -> None:
    """Once all that was put was taken it says so: else no gate would ever expire."""
    log, other = await owner(storage), await storage.open()
    offsets = [await other.put(submission()) for _ in range(3)]

    same(await _taken(log), offsets)
    same(await log.caught_up(), True, "an intake that is caught up")


async def an_answer_is_given_once(storage: Storage[OwnedIntake]) -> None:
    """A batch that answers what is answered, or was never put, is refused whole."""
    log, story = await owner(storage), Story()
    first, second = await log.put(submission()), await log.put(submission())
    await log.append(EffectBatch(settled=[(first, _YES)]))

    for offset in (first, second + 1):
        settled = [(second, refusal()), (offset, refusal())]
        again = replace(Story("again").batch(), settled=settled)
        await refuses(log.append(again), InvalidInput)

    same([await log.answer(first), await log.answer(second)], [_YES, None])
    same(await values(log), [])
    await log.append(replace(story.batch(), settled=[(second, _YES)]))
    same(await log.answer(second), _YES)


async def an_answer_needs_its_batch(storage: Storage[OwnedIntake]) -> None:
    """A batch that is not written answers nothing: the record is taken again."""
    log = await owner(storage)
    offset = await log.put(submission())
    story = Story()
    story.tell(3)
    refused = replace(story.batch(), settled=[(offset, _YES)])

    await _fails(log, refused)

    same(await log.answer(offset), None)
    same(await _taken(log), [offset])


async def a_restart_keeps_records_and_answers(storage: Storage[OwnedIntake]) -> None:
    """What was put waits, and what was answered stays so, after all processes have ended."""
    log = await owner(storage)
    offsets = [await log.put(submission()) for _ in range(3)]
    await log.append(EffectBatch(settled=[(offsets[2], refusal()), (offsets[0], _YES)]))

    log = await owner_after_restart(storage)

    same(await _taken(log), [offsets[1]])
    same([await log.answer(offset) for offset in offsets], [_YES, None, refusal()])
    same(await log.put(submission()) > offsets[2], True, "an offset that was never given before")


async def no_text_stops_an_answer(storage: Storage[OwnedIntake]) -> None:
    """A message that is not valid Unicode (JSON can carry it) does not stop the batch."""
    log = await owner(storage)
    offset = await log.put(submission())

    await log.append(EffectBatch(settled=[(offset, refusal("unknown verdict \ud800"))]))

    same((await log.answer(offset) or _YES).reason, "token_used")


async def _taken(log: OwnedIntake, after: int = 0, limit: int = 10) -> list[int]:
    taken: list[InboundRecord] = list(await log.take(after, limit))
    return [record.number for record in taken]


async def _fails(log: OwnedIntake, batch: EffectBatch) -> None:
    try:
        await log.append(batch)
    except HitlError:
        return
    raise BrokenPromise("expected a refusal of a batch that does not fit, found it accepted")


PROMISES: tuple[Promise[OwnedIntake], ...] = (
    records_come_back_as_they_were,
    offsets_grow,
    it_is_taken_in_pieces,
    anybody_may_put,
    answers_reach_everybody,
    the_answered_is_not_taken,
    who_has_taken_all_is_caught_up,
    an_answer_is_given_once,
    an_answer_needs_its_batch,
    a_restart_keeps_records_and_answers,
    no_text_stops_an_answer,
)
