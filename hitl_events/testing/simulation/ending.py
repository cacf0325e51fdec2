"""The world calms down: every run that can end must end, and everything must add up."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from hitl_events.domain.events import RunStarted
from hitl_events.domain.evolve import fold
from hitl_events.domain.outcome import canonical_outcome
from hitl_events.domain.refusals import REJECTED_PER_RUN_MAX, Reason
from hitl_events.domain.requests import StepRequest
from hitl_events.domain.state import status
from hitl_events.domain.values import RunId
from hitl_events.errors import RecipeStopped
from hitl_events.ports import Answer, Codec
from hitl_events.recipes.driver import Driver
from hitl_events.testing.scripts import Played, driver_of
from hitl_events.testing.simulation.ledger import Ledger, StepKey, demand
from hitl_events.testing.simulation.oracle import Oracle
from hitl_events.testing.simulation.owner import done
from hitl_events.testing.simulation.sent import CALL, Sent
from hitl_events.testing.simulation.world import World
from hitl_events.testing.stage import StillWatch

RULED: frozenset[Reason] = frozenset(
    (
        "conflict",
        "token_used",
        "token_expired",
        "superseded",
        "run_ended",
        "artefact_changed",
        "unknown_verdict",
        "invalid_data",
    )
)
"""What a decision with a good token may be refused for; a letter where the run has enough of it."""
ROUNDS_MAX = 300
"""A plot has at most 40 acts; each takes a few rounds."""


def bring_to_an_end(world: World) -> None:
    """No more mischief: finish the steps, decide the gates, let the time pass."""
    world.calm = True
    if world.owner is None or world.doomed or world.random.random() < 0.5:
        world.crash()
        world.own()
    for code in (0, 1, 0) if world.codes_used > 1 else (0,):
        if world.codes_used > 1:
            world.crash()
            world.put_code(code)
            world.own()
            _unblock(world)
        _go_on(world)
        if all(ledger.ended for ledger in world.ledgers()):
            break
    left = [
        f"{each.run_id} ({_standing(world, each)})" for each in world.ledgers() if not each.ended
    ]
    demand("liveness", not left, f"every run to end, left: {', '.join(left)}")


def _unblock(world: World) -> None:
    for ledger in world.ledgers():
        if ledger.blocked and not ledger.ended:
            world.send(world.clients.unblock(ledger.run_id))


def _go_on(world: World) -> None:
    for _ in range(ROUNDS_MAX):
        busy = world.turn()
        owner = world.owner
        demand("liveness", owner is not None, "an owner that lives in a calm world")
        if busy:
            continue
        _check_work(world)
        if owner is not None and owner.steps:
            world.end_step()
        elif not _push(world):
            return


def _check_work(world: World) -> None:
    """Nothing moves now: every step that a recipe waits for is under way, or waits as it should.

    Where the code was changed, a paused run may now wait for more: it hears that with a decision.
    """
    if world.codes_used > 1:
        return
    assert world.owner is not None
    under_way = {(each.run_id, each.request.key) for each in world.owner.steps}
    for ledger in world.ledgers():
        if ledger.ended or ledger.blocked:
            continue
        asked = {about for pause in ledger.open_pauses() if (about := pause.about) is not None}
        for key in _waits(world, ledger):
            step = ledger.step(key)
            waits = step.cleared or key in asked or (ledger.cancelling and key[0] == "step")
            lost = not waits and (ledger.run_id, key) not in under_way
            demand("liveness", not lost, "a step that is waited for to run", ledger.run_id, key)


def _waits(world: World, ledger: Ledger) -> Iterator[StepKey]:
    """The steps that the recipe waits for, by a replay of its own; none if its code is another."""
    driver, problem = _replay(world.code, ledger, world.codec)
    for request in driver.requests() if problem is None else ():
        if isinstance(request, StepRequest):
            yield request.key
    driver.close()


def _push(world: World) -> bool:
    """Nothing goes on by itself: decide a gate, or let the next timer fire."""
    for ledger in world.ledgers():
        for pause in ledger.open_pauses():
            world.send(world.clients.good(ledger, pause))
            return True
    due = done(world.eye.next_due())
    if due is None:
        return False
    world.clock.advance(max((due - world.clock.now()).total_seconds(), 0) + 1)
    return True


def _standing(world: World, ledger: Ledger) -> str:
    run = fold(world.codec.decode(value) for value in ledger.values)
    return "?" if run is None else f"{ledger.run_id} is {status(run)} at {run.seq}"


def check_the_books(world: World) -> None:
    """Every submission became one thing, every history replays, every copy of a run is the same."""
    for sent in world.oracle.sent.values():
        if sent.durable:
            answer = done(world.eye.answer(sent.place[1]))
            demand("P2", answer is not None, "an answer", sent)
            sent.answers = [] if answer is None else [answer]
        _check_sent(world.oracle, sent)
    for offset in world.post.reports:
        demand("P2", done(world.eye.answer(offset)) is not None, "an answer to a report", offset)
    for ledger in world.ledgers():
        _check_copies(world, ledger)
        _check_replay(world, ledger)
    world.verify()
    world.transcripts.check()


def _check_sent(oracle: Oracle, sent: Sent) -> None:
    events = oracle.events_at.get(sent.place, [])
    letters = oracle.letters_at.get(sent.place, [])
    demand("P2", len(events) + len(letters) <= 1, "one thing that became", sent)
    demand("P2", len(sent.answers) <= 1, "one answer", sent, sent.answers)
    if letters:
        reason = letters[0].reason
        _check_letter(oracle, sent, reason)
    if not sent.answers:
        demand("P2", not sent.durable and sent.place[0] == CALL, "an answer", sent)
        return
    answer = sent.answers[0]
    if events:
        _check_answer(oracle, sent, answer, events[0].seq)
    elif letters:
        demand("P2", answer.reason == letters[0].reason, "the letter's reason", sent)
        named = answer.winner is not None or answer.reason != "token_used"
        demand("P3", named, "the winner's name", sent)
    else:
        _check_repeat(oracle, sent, answer)


def _check_letter(oracle: Oracle, sent: Sent, reason: str) -> None:
    ledger = oracle.ledgers.get(sent.run_id or "")
    full = ledger is not None and ledger.rejected == REJECTED_PER_RUN_MAX and sent.pause is not None
    fits = reason in sent.dead or (full and reason in RULED)
    demand("P2", fits, "a reason that fits", sent, sent.dead, reason)
    if sent.kind == "decide":
        return
    if reason == "run_ended":
        demand("P2", ledger is not None and ledger.ended, "an ended run", sent)
    if reason == "run_exists":
        demand("P2", ledger is not None and not _same_start(ledger, sent), "another start", sent)


def _check_answer(oracle: Oracle, sent: Sent, answer: Answer, seq: int) -> None:
    """The answer says what the event says, and names the winner as the winner's event does."""
    ledger = oracle.ledgers[sent.run_id or ""]
    demand("P2", answer.run_id == sent.run_id, "the run", sent)
    demand("P2", answer.seq == seq, "the seq of the event as answer", sent, seq, answer.seq)
    if sent.kind != "decide":
        demand("P2", answer.reason is None, "no refusal", sent, answer.reason)
        return
    by_seq = {event.seq: event for event in oracle.events_at[sent.place]}
    reason = getattr(by_seq[seq], "reason", None)
    demand(
        "P2", answer.reason == reason, "the event's reason as answer", sent, reason, answer.reason
    )
    if reason != "token_used":
        return
    won = ledger.pauses[sent.pause or 0].closed_by
    found = answer.winner
    demand("P3", won is not None and found is not None, "the winner's name", sent)
    if won is not None and found is not None:
        named = (found.decision_id, found.verdict, found.decided_by, found.decided_at)
        wanted = (won.decision_id, won.verdict, won.decided_by, won.recorded_at)
        demand("P3", named == wanted, "the winner's name", sent, wanted, named)


def _check_repeat(oracle: Oracle, sent: Sent, answer: Answer) -> None:
    """No event and no letter: then it was there before, and is answered as it was then."""
    ledger = oracle.ledgers.get(sent.run_id or "")
    if ledger is None:
        demand("P2", ledger is not None, "a run", sent, answer)
        return
    if sent.kind == "decide":
        first = ledger.first(sent.decision_id or "", sent.content_digest)
        demand("P2", first is not None, "an event or a letter", sent, answer)
        found = (answer.seq, answer.reason)
        wanted = first and (first.seq, getattr(first, "reason", None))
        demand("P2", found == wanted, "the first answer to a repeat", sent, wanted, found)
        return
    demand("P2", answer.reason is None, "no refusal", sent, answer.reason)
    if sent.kind == "start":
        same = _same_start(ledger, sent) and answer.seq == 1
        demand("P2", same, "a refusal, as the run is another", sent)
    if sent.kind == "cancel":
        demand("P2", ledger.cancelling, "a cancelled run", sent)


def _same_start(ledger: Ledger, sent: Sent) -> bool:
    started = ledger.started
    if started is None:
        return False
    found = (started.recipe, started.input.decode().strip('"'))
    return found == (sent.fields["recipe"], sent.fields["input"])


def _check_copies(world: World, ledger: Ledger) -> None:
    """What the owner holds in memory is what the bytes say (P1, law 24)."""
    events = [world.codec.decode(value) for value in ledger.values]
    folded = fold(events)
    positions = {each.run_id: each for each in world.positions()}
    position = positions[RunId(ledger.run_id)]
    head = sha256(ledger.values[-1]).digest()
    demand("P12", position.head == head and position.seq == len(events), "the head of the run")
    active = world.owner.engine.look(RunId(ledger.run_id)) if world.owner else None
    if active is None or active.trimmed:
        return
    demand("P1", active.state == folded, "one state, live and folded", ledger.run_id)
    demand("P1", active.head == head, "one head, live and stored", ledger.run_id)
    same = canonical_outcome(active.events) == canonical_outcome(events)
    demand("P7", same, "one outcome, live and replayed", ledger.run_id)


def _check_replay(world: World, ledger: Ledger) -> None:
    """A fresh driver goes through the whole history with the code that made the last of it."""
    problems = [_replayed(world, code, ledger) for code in world.codes]
    demand("P7", None in problems, "a replay", ledger.run_id, problems)


def _replayed(world: World, code: Played, ledger: Ledger) -> str | None:
    driver, problem = _replay(code, ledger, world.codec)
    driver.close()
    if problem is None and driver.warnings and world.codes_used == 1:
        return f"other arguments: {driver.warnings}"
    return problem


def _replay(code: Played, ledger: Ledger, codec: Codec) -> tuple[Driver, str | None]:
    """A fresh driver that was given the whole history, and why that does not fit the code."""
    events = [codec.decode(value) for value in ledger.values]
    started = events[0]
    assert isinstance(started, RunStarted)
    driver = driver_of(code, started, StillWatch())
    try:
        for event in events:
            driver.deliver(event)
    except RecipeStopped as stopped:
        return driver, str(stopped)
    return driver, None
