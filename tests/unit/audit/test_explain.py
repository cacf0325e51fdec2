from collections.abc import Callable, Iterable

import pytest

from hitl_events.audit.explain import Explanation, explain
from hitl_events.domain.token import PREFIX
from hitl_events.errors import InvalidInput
from tests.golden import make_histories as plays
from tests.golden.play import Play


def _explained(play: Play, seq: int) -> Explanation:
    return explain(play.events, seq)


def _says(explanation: Explanation) -> list[tuple[int, str]]:
    return [(each.seq, each.statement) for each in explanation.why]


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

    assert list(held) == ["gate_id", "verdict", "why", "winner"]
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
