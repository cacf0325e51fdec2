"""Laws of the checker: nothing that a log can hold stops it, and its fold is everybody's."""

from dataclasses import replace
from hashlib import sha256

from hypothesis import given, settings, strategies as st

from hitl_events.audit.chain import ChainCheck
from hitl_events.domain.events import (
    About,
    CancelRequested,
    DecisionReceived,
    Event,
    GateClosed,
    GatePaused,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunUnblocked,
    StepFailed,
    StepStarted,
)
from hitl_events.domain.evolve import fold
from hitl_events.domain.reconcile import DID_NOT_HAPPEN
from hitl_events.domain.values import NO_DIGEST, RunId
from hitl_events.errors import ImpossibleHistory
from tests.unit.audit.made import CODEC, NOON, completed, paused, received, rejected, started

RECONCILE = GatePaused(
    gate="reconcile:a",
    occurrence=1,
    pause_kind="reconcile",
    draft=b"null",
    draft_digest=bytes(32),
    verdicts=("happened", DID_NOT_HAPPEN),
    about=About(step="a", occurrence=1),
    token_kid="k",
)
ATTEMPT = StepStarted(step="a", occurrence=1, kind="step", attempt=1, args_digest=bytes(8))
POOL: tuple[Event, ...] = (
    started(),
    ATTEMPT,
    StepFailed(
        step="a",
        occurrence=1,
        kind="step",
        attempt=1,
        args_digest=bytes(8),
        error="E",
        message="",
        retry_at=NOON,
    ),
    completed("a"),
    paused(expires_at=NOON),
    RECONCILE,
    received(),
    DecisionReceived(
        gate="reconcile:a",
        occurrence=1,
        decision_id="d-9",
        content_digest=bytes(32),
        verdict=DID_NOT_HAPPEN,
        identity="claimed",
        channel="topic",
        resolution=DID_NOT_HAPPEN,
    ),
    rejected(),
    GateClosed(gate="legal-review", occurrence=1, reason="expired"),
    CancelRequested(reason="", identity="claimed", command_id="c", channel="cli"),
    RunBlocked(code="recipe.diverged", message="", code_fingerprint=""),
    RunUnblocked(channel="cli", code_fingerprint=""),
    RunCompleted(result=b"null"),
    RunFailed(code="step.failed", message=""),
    RunCancelled(reason=""),
)
BARE = st.sampled_from(POOL)


@st.composite
def any_records(draw: st.DrawFn) -> list[bytes]:
    """Records that are events, and nothing more: of two runs, in any order, linked or not."""
    values: list[bytes] = []
    heads = {"a": NO_DIGEST, "b": NO_DIGEST}
    seqs = {"a": 0, "b": 0}
    for event in draw(st.lists(BARE, max_size=14)):
        run_id = draw(st.sampled_from(["a", "b"]))
        seq = draw(st.sampled_from([seqs[run_id] + 1] * 6 + [seqs[run_id], 1, 0, 7, -1]))
        head = draw(st.sampled_from([heads[run_id]] * 6 + [NO_DIGEST, bytes(range(32))]))
        placed = replace(event, run_id=RunId(run_id), seq=seq, recorded_at=NOON, prev_digest=head)
        values.append(CODEC.encode(placed))
        seqs[run_id], heads[run_id] = seq, sha256(values[-1]).digest()
    return values


@st.composite
def linked_records(draw: st.DrawFn) -> list[bytes]:
    """One run whose chain holds, whatever is said in it."""
    values: list[bytes] = []
    head = NO_DIGEST
    bare = [started(), *draw(st.lists(BARE, max_size=14))]
    for seq, event in enumerate(bare, start=1):
        placed = replace(event, run_id=RunId("a"), seq=seq, recorded_at=NOON, prev_digest=head)
        values.append(CODEC.encode(placed))
        head = sha256(values[-1]).digest()
    return values


def _impossible_at(values: list[bytes]) -> int | None:
    """Where the fold of all readers stops; None where it comes to the end."""
    for count in range(1, len(values) + 1):
        try:
            fold(map(CODEC.decode, values[:count]))
        except (ImpossibleHistory, KeyError):
            return count
    return None


@settings(max_examples=300, deadline=None)
@given(any_records())
def test_whatever_a_log_holds_there_is_a_report(values: list[bytes]) -> None:
    """Checking raises nothing, and one record at a time it finds what it finds in all of them."""
    whole, single = ChainCheck(CODEC), ChainCheck(CODEC)
    whole.add_all(values)
    for value in values:
        single.add(value)

    whole.finish([])
    single.finish([])

    assert whole.report() == single.report()
    assert whole.report().events == len(values)


@settings(max_examples=300, deadline=None)
@given(linked_records())
def test_a_sound_chain_is_folded_as_everywhere(values: list[bytes]) -> None:
    """What no other reader can fold is named at the event where they stop, and nothing else is."""
    check = ChainCheck(CODEC)
    check.add_all(values)

    stop = _impossible_at(values)
    found = [each for each in check.report().errors if "cannot have happened" in each.problem]

    after_end = [each for each in check.report().errors if "after the end" in each.problem]
    assert after_end or [each.seq for each in found] == ([stop] if stop else [])
