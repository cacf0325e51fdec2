from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings

from hitl_events.audit.explain import Explanation, explain
from hitl_events.domain.events import Event, GateClosed, GatePaused, RunFailed, Source
from hitl_events.domain.token import PREFIX
from hitl_events.errors import InvalidInput
from hitl_events.testing.strategies import histories
from tests.golden import make_histories as plays
from tests.golden.play import Play
from tests.unit.domain.histories import (
    NOW,
    SECOND,
    cancelled,
    paused,
    received,
    recorded,
    rejected,
    started,
)


def _explained(play: Play, seq: int) -> Explanation:
    return explain(play.events, seq)


def _says(explanation: Explanation) -> list[tuple[int, str]]:
    return [(each.seq, each.statement) for each in explanation.why]


def _grounds(explanation: Explanation, seq: int) -> list[tuple[int, str]]:
    """What the statements at an event rest on."""
    return [
        (ground.seq, ground.statement)
        for each in explanation.why
        if each.seq == seq
        for ground in each.because
    ]


def _in_order(statements: Iterable[tuple[int, str]], *parts: tuple[int, str]) -> bool:
    """True if each part stands in a statement at its seq, one after the other."""
    left = iter(statements)
    return all(any(seq == at and part in said for at, said in left) for seq, part in parts)


def test_a_gate_that_waits_says_since_when_and_for_what() -> None:
    """A pending gate: opened by which event, on which draft, with which verdicts."""
    explanation = _explained(plays.paused(), 3)

    assert (explanation.gate_id, explanation.verdict) == ("golden-paused.3", "pending")
    assert explanation.winner is None
    assert _in_order(
        _says(explanation),
        (3, "Gate 'legal-review', of kind human, was opened at 2026-01-01T09:00:02.000000Z"),
        (3, "No decision has come up to event 3: the gate waits."),
    )


def test_a_decided_gate_names_its_decision_and_what_came_of_it() -> None:
    """Received, by whom, through what, and the step that followed."""
    explanation = _explained(plays.reviewed(), 7)

    assert explanation.verdict == "approved"
    assert explanation.winner is not None
    assert explanation.winner.decision_id == "d-3"
    assert _in_order(
        _says(explanation),
        (8, "Decision 'd-3', 'approve' by 'Ada' (claimed), through 'topic'"),
        (9, "After that step 'publish' was begun."),
        (12, "Decision 'd-4', 'deny' by 'Eve' (claimed)"),
    )


def test_a_refused_decision_says_why() -> None:
    """Each refused attempt is there with its reason, also after the end."""
    first, second = (_explained(plays.reviewed(), seq) for seq in (3, 7))

    assert _in_order(_says(first), (4, "was refused as unknown_verdict: expected one of"))
    assert _in_order(_says(second), (12, "was refused as token_used: the gate was closed by"))


def test_each_occurrence_of_a_gate_has_its_own_account() -> None:
    """A gate that was opened again is another pause with decisions of its own."""
    explanation = _explained(plays.reviewed(), 3)

    assert (explanation.verdict, explanation.why[-1].seq) == ("decided", 6)
    assert "After that step 'write_draft' was completed." in explanation.why[-1].statement


@pytest.mark.parametrize(
    ("play", "seq", "verdict", "said"),
    [
        (plays.denied, 3, "denied", (4, "closed the gate: deny.")),
        (plays.expired, 2, "expired", (3, "closed without a decision: expired.")),
        (plays.scheduled, 2, "decided", (2, "after that the schedule decides 'ship'.")),
        (plays.scheduled, 2, "decided", (3, "'ship', decided by the schedule")),
        (plays.withdrawn, 3, "withdrawn", (6, "closed without a decision: withdrawn.")),
        (plays.cancelled, 3, "cancelled", (5, "The run was cancelled: no longer wanted.")),
        (plays.uncertain, 6, "decided", (6, "It asks whether step 'publish' happened")),
        (plays.abandoned, 6, "decided", (8, "step 'publish' failed: Abandoned: the site is gone")),
    ],
)
def test_every_end_of_a_gate_is_told(
    play: Callable[[], Play], seq: int, verdict: str, said: tuple[int, str]
) -> None:
    """Whatever closed a gate is named by its event."""
    explanation = _explained(play(), seq)

    assert explanation.verdict == verdict
    assert _in_order(_says(explanation), said)


def test_a_block_does_not_close_a_gate() -> None:
    """A blocked run takes decisions all the same, and the account says why nothing follows."""
    play = plays.paused().restart(None).decide("approve", "d-1")

    said = _says(_explained(play, 3))

    assert _in_order(
        said,
        (4, "The run was blocked (recipe.unknown)"),
        (5, "was received and closed the gate: approve."),
        (5, "The run has not gone on up to event 5: it is blocked (recipe.unknown)."),
    )


def test_an_explanation_is_json_with_its_sources() -> None:
    """Each sentence names the run and the event that bear it out; no token stands in it."""
    play = plays.denied()

    held = _explained(play, 3).to_json()

    assert list(held) == ["gate_id", "verdict", "why", "winner", "proof"]
    assert {tuple(each) for each in held["why"]} == {("statement", "run_id", "seq")}
    assert {each["run_id"] for each in held["why"]} == {"golden-denied"}
    assert held["winner"] == {
        "decision_id": "d-1",
        "verdict": "deny",
        "decided_by": None,
        "decided_at": "2026-01-01T09:00:03.000000Z",
    }
    assert PREFIX not in str(held)


@pytest.mark.parametrize("seq", [0, 1, 99])
def test_an_event_that_opened_no_gate_is_refused(seq: int) -> None:
    """Only a pause can be explained."""
    with pytest.raises(InvalidInput, match=f"found none at event {seq}"):
        _explained(plays.paused(), seq)


def test_a_received_decision_rests_on_what_the_gate_offered() -> None:
    """It was open, offered the verdict, and the decision was about the draft that was shown."""
    grounds = _grounds(_explained(plays.reviewed(), 3), 5)

    assert _in_order(
        grounds,
        (3, "'request_changes' is one of the verdicts it offers"),
        (5, "It names no draft"),
        (3, "Its data fits the schema"),
    )


def test_a_decision_that_names_its_draft_and_came_before_a_deadline_says_so() -> None:
    """With the digest it named, when it came, and until when the gate ran."""
    shown = paused(expires_at=NOW + 60 * SECOND)
    source = Source(topic="hitl.decisions", partition=0, offset=1, timestamp_ms=1_767_225_602_500)
    given = received(draft_digest=shown.draft_digest, source=source)

    grounds = _grounds(explain(recorded(started(), shown, given), 2), 3)

    assert _in_order(
        grounds,
        (3, f"It names the draft that was shown: {shown.draft_digest.hex()}."),
        (3, "It came at 2026-01-01T00:00:02.500000Z; the gate ran until 2026-01-01T00:01:00"),
    )


@pytest.mark.parametrize(
    ("play", "gate", "at", "ground"),
    [
        (plays.reviewed, 3, 4, (3, "The gate offers approve, deny, request_changes.")),
        (plays.reviewed, 7, 12, (8, "Decision 'd-3', 'approve' by 'Ada'")),
        (plays.scheduled, 2, 5, (3, "'ship', decided by the schedule")),
        (plays.scheduled, 2, 3, (2, "The gate ran until 2026-01-01T10:00:01.000000Z")),
        (plays.expired, 2, 3, (2, "names no verdict for after that")),
        (plays.withdrawn, 3, 6, (5, "step 'charge' failed: ConnectionError: card refused")),
        (plays.uncertain, 6, 6, (5, "Attempt 1 of it was begun.")),
        (plays.paused, 3, 3, (2, "Before that step 'write_draft' was completed.")),
        (plays.expired, 4, 4, (3, "Before that gate 'ship' was closed: expired.")),
    ],
)
def test_each_statement_rests_on_the_event_that_made_it_so(
    play: Callable[[], Play], gate: int, at: int, ground: tuple[int, str]
) -> None:
    """The rule that was applied, and the event behind it."""
    assert _in_order(_grounds(_explained(play(), gate), at), ground)


@pytest.mark.parametrize(
    ("reason", "before", "ground"),
    [
        ("token_expired", GateClosed(gate="g", occurrence=1, reason="expired"), (3, "expired.")),
        ("superseded", GateClosed(gate="g", occurrence=1, reason="superseded"), (3, "superseded")),
        ("run_ended", cancelled(), (3, "The run had been cancelled.")),
        ("run_ended", RunFailed(code="step.failed", message="m"), (3, "the run failed")),
        ("conflict", rejected(), (3, "The id 'refused' was first used with other content.")),
        ("artefact_changed", rejected(decision_id="x"), (4, "The decision names none.")),
        ("invalid_data", rejected(decision_id="x"), (2, "The gate takes no data.")),
        ("not_allowed", rejected(decision_id="x"), (2, "The policy of the gate")),
    ],
)
def test_every_reason_of_a_refusal_has_its_ground(
    reason: str, before: Event, ground: tuple[int, str]
) -> None:
    """A refusal names what had made the decision void."""
    events = recorded(started(), paused(), before, rejected(reason=reason))

    assert _in_order(_grounds(explain(events, 2), 4), ground)


def test_a_gate_that_waits_for_more_decisions_names_those_it_has() -> None:
    """One that counts and is not enough, and when the gate ends at the latest."""
    events = recorded(
        started(), paused(expires_at=NOW + 60 * SECOND), received(resolution=None, decided_by="A")
    )

    explanation = explain(events, 2)

    assert (explanation.verdict, explanation.proof.seq) == ("pending", 3)
    waits = [ground.seq for ground in explanation.why[-1].because]
    assert waits == [2, 3, 2]
    assert "It ends at 2026-01-01T00:01:00" in explanation.why[-1].because[-1].statement


def test_the_proof_is_a_tree_of_the_same_statements() -> None:
    """Its root says how the gate stands by the event that made it so."""
    held = _explained(plays.reviewed(), 7).to_json()
    proof = held["proof"]

    assert (proof["statement"], proof["seq"]) == ("Gate 'legal-review' (2) is approved.", 8)
    assert [
        {name: each[name] for name in ("statement", "run_id", "seq")} for each in proof["because"]
    ] == held["why"]
    assert {each["run_id"] for each in proof["because"][-1]["because"]} == {"golden-reviewed"}


@settings(deadline=None)
@given(history=histories())
def test_everything_that_is_said_has_its_event(history: tuple[Event, ...]) -> None:
    """For every gate of every history: a ground is an event, none later than what rests on it."""
    for event in history:
        if isinstance(event, GatePaused):
            explanation = explain(history, event.seq)
            assert 1 <= explanation.proof.seq <= len(history)
            for each in explanation.why:
                assert all(1 <= ground.seq <= each.seq for ground in each.because)
