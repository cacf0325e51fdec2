"""Laws of fold and policy, for every history that an engine can have written."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import rfc8785
from hypothesis import given, settings, strategies as st

from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain import canonical
from hitl_events.domain.commands import Command, Decide, Origin
from hitl_events.domain.content import content_digest
from hitl_events.domain.decide import expire
from hitl_events.domain.events import (
    CancelRequested,
    DecisionReceived,
    DecisionRejected,
    Event,
    GateClosed,
    GatePaused,
    RunCancelled,
    RunStarted,
)
from hitl_events.domain.evolve import evolve, fold
from hitl_events.domain.outcome import canonical_outcome
from hitl_events.domain.process import Ruling, process
from hitl_events.domain.refusals import Rejection, Repeat
from hitl_events.domain.state import RunState, end_mark, status
from hitl_events.domain.token import Claim, TokenKeys
from hitl_events.domain.values import EPOCH, RunId, digest
from hitl_events.testing.clock import NEW_YEAR
from hitl_events.testing.strategies import RUN_IDS, commands, histories, json_values

CODEC = AvroCodec()
KEYS = TokenKeys([b"k" * 32, b"old key " * 4])


def _stored(history: tuple[Event, ...]) -> tuple[bytes, ...]:
    return tuple(CODEC.encode(event) for event in history)


def _read(values: tuple[bytes, ...]) -> tuple[Event, ...]:
    return tuple(CODEC.decode(value) for value in values)


@settings(max_examples=150, deadline=None)
@given(history=histories())
def test_the_encoded_log_folds_to_the_live_state(history: tuple[Event, ...]) -> None:
    """State and outcome are a fold of the bytes, and the same for every start of the stream."""
    run: RunState | None = None
    for count, event in enumerate(history, start=1):
        run = evolve(run, event)
        read = _read(_stored(history[:count]))

        assert fold(read) == run
        assert canonical_outcome(read) == canonical_outcome(history[:count])


@settings(max_examples=150, deadline=None)
@given(history=histories())
def test_each_event_names_its_predecessor(history: tuple[Event, ...]) -> None:
    """Seq counts from 1, time never goes back, each event bears the digest of the one before."""
    before = bytes(32)
    for count, (event, value) in enumerate(zip(history, _stored(history), strict=True), start=1):
        assert event.seq == count
        assert event.prev_digest == before
        before = digest(value)

    times = [event.recorded_at for event in history]
    assert times == sorted(times)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_an_end_mark_answers_as_the_whole_run(data: st.DataObject) -> None:
    """What is kept of an ended run rules on every command exactly as all of it would."""
    history = data.draw(histories(ended=True))
    whole, mark = fold(history), fold(history)
    assert whole is not None
    assert mark is not None
    assert whole.ended
    mark = end_mark(mark)

    for _ in range(data.draw(st.integers(1, 4))):
        command = data.draw(commands(history))
        ruling = process(whole, command)

        assert process(mark, command) == ruling
        for run in (whole, mark):
            _apply(run, process(run, command))
        assert status(mark) == status(whole)


def _apply(run: RunState, ruling: Ruling) -> None:
    for event in ruling if isinstance(ruling, tuple) else ():
        event.run_id = run.started.run_id  # type: ignore[misc]  # as the engine gives it
        event.seq = run.seq + 1  # type: ignore[misc]  # as above
        event.recorded_at = run.recorded_at  # type: ignore[misc]  # as above
        evolve(run, event)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_deciding_changes_nothing(data: st.DataObject) -> None:
    """`process` is pure: the run is as it was, and the same question has the same answer."""
    history = data.draw(histories())
    command: Command = data.draw(commands(history))
    run = fold(history)

    first = process(run, command)

    assert run == fold(history)
    assert process(run, command) == first


# the order of refusals

END = NEW_YEAR + timedelta(hours=1)
CLOSINGS = ("open", "decided", "scheduled", "expired", "superseded", "withdrawn", "cancelled")
SEED = b"seed of this run"


class Case:
    """A gate in some state, and a decision with any number of things wrong with it."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.closing: str = draw(st.sampled_from(CLOSINGS))
        self.bound: str = draw(st.sampled_from(("no", "same", "other")))
        flaws = ("claim", "run", "seed", "late", "digest", "verdict", "data")
        self.flaws: set[str] = draw(st.sets(st.sampled_from(flaws), max_size=4))

    def expected(self) -> str | None:
        """CONTRACT's order: the first line that applies."""
        late = self.closing == "open" and "late" in self.flaws
        table = (
            ("invalid_token", "claim" in self.flaws),
            ("unknown_run", "run" in self.flaws),
            ("invalid_token", "seed" in self.flaws),
            ("repeat", self.bound == "same"),
            ("conflict", self.bound == "other"),
            ("token_used", self.closing in {"decided", "scheduled"}),
            ("token_expired", self.closing == "expired" or late),
            ("superseded", self.closing in {"superseded", "withdrawn"}),
            ("run_ended", self.closing == "cancelled"),
            ("artefact_changed", "digest" in self.flaws),
            ("unknown_verdict", "verdict" in self.flaws),
            ("invalid_data", "data" in self.flaws),
        )
        return next((reason for reason, applies in table if applies), None)

    def command(self) -> Decide:
        """The decision."""
        fields: dict[str, Any] = {
            "token": "hitl_",
            "verdict": "perhaps" if "verdict" in self.flaws else "approve",
            "data": b'{"score":1}' if "data" in self.flaws else None,
            "draft_digest": bytes(32) if "digest" in self.flaws else None,
        }
        seed = b"other seed" if "seed" in self.flaws else SEED
        claim = Claim(run_id=RunId("r"), seq=2, seed_prefix=seed[:8])
        at = END + timedelta(seconds=1) if "late" in self.flaws else END
        return Decide(
            **fields,
            decision_id="this",
            content_digest=content_digest(**fields),
            claim=None if "claim" in self.flaws else claim,
            origin=Origin(channel="topic", arrived_at=at),
        )

    def run(self) -> RunState | None:
        """The run that it meets."""
        if "run" in self.flaws:
            return None
        paused = GatePaused(
            gate="g",
            occurrence=1,
            pause_kind="human",
            draft=b"null",
            draft_digest=digest(b"null"),
            verdicts=("approve", "deny"),
            expires_at=END,
            token_kid="",
        )
        run = _recorded(None, _started(), paused, *self._bound())
        gate = run.gate_at(2)
        assert gate is not None
        after: dict[str, tuple[Event, ...]] = {
            "open": (),
            "decided": (_received("first"),),
            "scheduled": (_received("schedule:r.2", "schedule"),),
            "expired": (expire(gate),),
            "superseded": (_closed("superseded"),),
            "withdrawn": (_closed("withdrawn"),),
            "cancelled": (_cancelling(), RunCancelled(reason="enough")),
        }
        return _recorded(run, *after[self.closing])

    def _bound(self) -> tuple[Event, ...]:
        """An earlier decision took the id: this one, or another."""
        if self.bound == "no":
            return ()
        content = self.command().content_digest if self.bound == "same" else bytes(32)
        bound = DecisionRejected(
            decision_id="this",
            content_digest=content,
            verdict="x",
            identity="claimed",
            channel="topic",
            reason="unknown_verdict",
            message="",
        )
        return (bound,)


def _started() -> RunStarted:
    return RunStarted(
        recipe="p",
        version="1",
        input=b"null",
        seed=SEED,
        command_id="c",
        identity="claimed",
        channel="topic",
    )


def _received(decision_id: str, channel: str = "topic") -> DecisionReceived:
    return DecisionReceived(
        gate="g",
        occurrence=1,
        decision_id=decision_id,
        content_digest=bytes(32),
        verdict="deny",
        identity="claimed",
        channel=channel,
        resolution="deny",
    )


def _closed(reason: str) -> GateClosed:
    return GateClosed(gate="g", occurrence=1, reason=reason)


def _cancelling() -> CancelRequested:
    return CancelRequested(reason="enough", identity="claimed", command_id="c", channel="cli")


def _recorded(run: RunState | None, *events: Event) -> RunState:
    for event in events:
        event.run_id = RunId("r")  # type: ignore[misc]  # its envelope, as the engine gives it
        event.seq = run.seq + 1 if run else 1  # type: ignore[misc]  # as above
        event.recorded_at = EPOCH  # type: ignore[misc]  # as above
        run = evolve(run, event)
    assert run is not None
    return run


@settings(max_examples=1500, deadline=None)
@given(data=st.data())
def test_the_first_reason_that_applies_is_the_answer(data: st.DataObject) -> None:
    """Whatever is wrong with a decision, the refusal is the first in CONTRACT's order."""
    case = Case(data.draw)
    run = case.run()
    ruling = process(run, case.command())

    found: str | None
    if isinstance(ruling, Rejection):
        found = ruling.reason
    elif isinstance(ruling, Repeat):
        found = "repeat"
    else:
        assert isinstance(ruling, tuple)
        last = ruling[-1]
        found = last.reason if isinstance(last, DecisionRejected) else None
    assert found == case.expected()


# tokens and canonical JSON

SEQS = st.integers(1, 2**63)
SEEDS = st.binary(min_size=16, max_size=16)


@given(run_id=RUN_IDS, seq=SEQS, seed=SEEDS, which=st.integers(0, 1))
def test_a_token_says_what_it_was_issued_for(
    run_id: RunId, seq: int, seed: bytes, which: int
) -> None:
    """Issue and read are inverse for every key that is held, and tokens stay short and plain."""
    kid = list(KEYS._keys)[which]

    token = KEYS.issue(run_id, seq, seed, kid)

    assert token is not None
    assert KEYS.read(token) == Claim(run_id=run_id, seq=seq, seed_prefix=seed[:8])
    assert len(token) <= 200
    assert token.isascii()


@settings(max_examples=500)
@given(run_id=RUN_IDS, seq=SEQS, seed=SEEDS, data=st.data())
def test_a_token_with_any_bit_changed_is_none(
    run_id: RunId, seq: int, seed: bytes, data: st.DataObject
) -> None:
    """One bit of the text, wherever it stands, makes a token that nobody accepts."""
    token = KEYS.issue(run_id, seq, seed, KEYS.kid) or ""
    at = data.draw(st.integers(0, len(token) - 1))
    bit = data.draw(st.integers(0, 7))

    changed = token[:at] + chr(ord(token[at]) ^ (1 << bit)) + token[at + 1 :]

    assert KEYS.read(changed) is None


@settings(max_examples=500)
@given(value=json_values())
def test_canonical_json_is_rfc_8785(value: Any) -> None:
    """Our bytes are those of an independent implementation, and read back they are the value."""
    found = canonical.dumps(value)

    assert found == rfc8785.dumps(value)
    assert canonical.loads(found) == value
    assert canonical.dumps(canonical.loads(found)) == found
