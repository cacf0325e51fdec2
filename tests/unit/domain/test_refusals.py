from datetime import timedelta
from typing import Any

import pytest

from hitl_events.domain.events import (
    DecisionReceived,
    GateClosed,
    RunCompleted,
    RunFailed,
)
from hitl_events.domain.refusals import REASONS, REJECTED_PER_RUN_MAX, diagnostic_code
from hitl_events.domain.state import RunState
from tests.unit.domain.histories import (
    NOW,
    SECOND,
    apply,
    cancelled,
    claim,
    decide,
    outside,
    paused,
    received,
    refusal,
    rejected,
    ruled,
    run_of,
)

EXPIRES = NOW + 10 * SECOND
SCHEMA = b'{"required":["name"],"type":"object"}'
WRONG: dict[str, Any] = {"verdict": "perhaps", "data": b"{}", "draft_digest": bytes(32)}
"""A decision that no open gate takes, for three reasons."""


def _closed(reason: str) -> RunState:
    return run_of(paused(), GateClosed(gate="g", occurrence=1, reason=reason))


def _used() -> RunState:
    return run_of(paused(), received(decided_by="ann"))


def test_a_decision_that_fits_is_received() -> None:
    """A decision on an open gate closes it with its verdict and keeps all that it said."""
    run = run_of(paused(data_schema=SCHEMA))
    said = decide(notes="fine", data=b'{"name":"x"}', decided_by="ann", key_id="k", decided_at=NOW)

    (event,) = ruled(run, said)

    assert isinstance(event, DecisionReceived)
    assert (event.gate, event.occurrence, event.resolution) == ("g", 1, "approve")
    for name in ("verdict", "notes", "data", "decided_by", "key_id", "decided_at", "decision_id"):
        assert getattr(event, name) == getattr(said, name)


def test_a_refused_decision_keeps_what_it_said() -> None:
    """A refusal is an event of the run, with the whole decision in it."""
    said = decide("perhaps", notes="hm", decided_by="ann", data=b"{}")

    event = refusal(run_of(paused()), said)

    assert (event.gate, event.occurrence) == ("g", 1)
    for name in ("verdict", "notes", "data", "decided_by", "decision_id", "content_digest"):
        assert getattr(event, name) == getattr(said, name)


def test_a_token_without_a_good_mac_is_invalid() -> None:
    """A decision whose token claims nothing is refused outside of any run."""
    assert outside(run_of(paused()), decide(claim=None)).reason == "invalid_token"


def test_the_run_of_a_good_token_must_be_there() -> None:
    """A token that is ours but names no run of this log is refused with unknown_run."""
    assert outside(None, decide()).reason == "unknown_run"


@pytest.mark.parametrize(
    "forged", [claim(seed=bytes(16)), claim(seq=1), claim(seq=99)], ids=["seed", "start", "beyond"]
)
def test_a_token_of_another_log_is_invalid(forged: Any) -> None:
    """A good MAC is not enough: seed and seq must be those of a pause of this run."""
    assert outside(run_of(paused()), decide(claim=forged)).reason == "invalid_token"


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (_used(), "token_used"),
        (_closed("expired"), "token_expired"),
        (_closed("superseded"), "superseded"),
        (_closed("withdrawn"), "superseded"),
        (run_of(paused(), cancelled()), "run_ended"),
        (run_of(paused(), RunFailed(code="recipe.failed", message="")), "run_ended"),
    ],
)
def test_a_closed_gate_answers_before_the_content_is_looked_at(run: RunState, reason: str) -> None:
    """Why a gate is closed comes before everything that is wrong with the decision itself."""
    assert refusal(run, decide(**WRONG)).reason == reason


def test_an_end_is_told_from_a_cancellation_under_way() -> None:
    """The message of run_ended says whether the run is over or is being cancelled."""
    assert "is being cancelled" in refusal(run_of(paused(), cancelled()), decide()).message
    failed = RunFailed(code="recipe.failed", message="")
    assert "has failed" in refusal(run_of(paused(), failed), decide()).message


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (_used(), "token_used"),
        (_closed("expired"), "token_expired"),
        (_closed("withdrawn"), "superseded"),
    ],
)
def test_how_the_gate_was_closed_comes_before_the_end_of_the_run(
    run: RunState, reason: str
) -> None:
    """token_used, token_expired and superseded win over run_ended."""
    ended = apply(run, RunCompleted(result=b"null"))

    assert refusal(ended, decide()).reason == reason


def test_an_open_gate_names_the_first_misfit() -> None:
    """artefact_changed comes before unknown_verdict, and that before invalid_data."""
    run = run_of(paused(data_schema=SCHEMA))
    drafted: dict[str, Any] = {"draft_digest": paused().draft_digest}

    assert refusal(run, decide(**WRONG)).reason == "artefact_changed"
    assert refusal(run, decide(**(WRONG | drafted))).reason == "unknown_verdict"
    fine = WRONG | drafted | {"verdict": "approve"}
    assert refusal(run, decide(**fine)).reason == "invalid_data"


def test_conflict_comes_before_the_state_of_the_gate() -> None:
    """An id that is bound to other content is a conflict, whatever became of the gate."""
    said = decide(decision_id="first", **WRONG)

    assert refusal(_used(), said).reason == "conflict"
    assert outside(_used(), decide(decision_id="first", claim=None)).reason == "invalid_token"


def test_the_winner_is_named_to_the_late() -> None:
    """token_used carries the id of the decision that closed the gate; other refusals carry none."""
    assert refusal(_used(), decide()).winner_decision_id == "first"
    assert refusal(_used(), decide(decision_id="first", notes="x")).winner_decision_id is None
    assert refusal(run_of(paused()), decide("perhaps")).winner_decision_id is None


def test_data_may_be_left_out() -> None:
    """A gate with a schema takes a decision without data."""
    assert isinstance(ruled(run_of(paused(data_schema=SCHEMA)), decide())[0], DecisionReceived)


def test_a_gate_without_schema_takes_no_data() -> None:
    """Data that nobody asked for is refused, not ignored."""
    assert refusal(run_of(paused()), decide(data=b"{}")).reason == "invalid_data"


def test_the_recipes_own_type_refuses_data_too() -> None:
    """What only the code can tell of data is a refusal like that of the schema."""
    run = run_of(paused(data_schema=SCHEMA))
    said = decide(data=b'{"name":1}', data_problem="expected text")

    event = refusal(run, said)

    assert (event.reason, event.message) == ("invalid_data", "expected text")


def test_a_refusal_of_data_does_not_quote_it() -> None:
    """The message about data names the rule and the place, never the value."""
    schema = b'{"properties":{"pin":{"type":"integer"}},"type":"object"}'

    event = refusal(run_of(paused(data_schema=schema)), decide(data=b'{"pin":"s3cret"}'))

    assert "pin" in event.message
    assert "s3cret" not in event.message


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        (b'{"properties":{"x":{"pattern":"^\\\\p{L}+$"}}}', b'{"x":"Zo\xc3\xab"}'),
        (
            b'{"additionalProperties":false,"patternProperties":{"^\\\\p{L}+$":{}}}',
            b'{"Zo\xc3\xab":1}',
        ),
        (b'{"properties":{"x":{"multipleOf":0.01}}}', b'{"x":0.29}'),
        (b'{"propertyNames":{"enum":[1,2]}}', b'{"2":true}'),
    ],
    ids=["a pattern of Rust", "one of keys", "a decimal", "a number as key"],
)
def test_a_schema_refuses_nothing_that_its_type_takes(schema: bytes, data: bytes) -> None:
    """A pattern that Python does not read judges nothing, and decimals are as they are written."""
    (event,) = ruled(run_of(paused(data_schema=schema)), decide(data=data))

    assert isinstance(event, DecisionReceived)


def test_a_schema_still_refuses_what_is_wrong_beside() -> None:
    """Patterns that can be read, steps of decimals and strange names are held to."""
    schema = (
        b'{"additionalProperties":false,"patternProperties":{"^[a1]$":{"multipleOf":0.01}},'
        b'"propertyNames":{"enum":["a","b",2]}}'
    )
    run = run_of(paused(data_schema=schema))
    wrong = (b'{"b":1}', b'{"a":0.295}', b'{"1":1}', b'{"2":1}')

    assert {refusal(run, decide(data=data)).reason for data in wrong} == {"invalid_data"}


def test_after_a_hundred_refusals_the_run_takes_no_more() -> None:
    """The hundredth refusal is an event, the next a dead letter with the same reason and winner."""
    refused = [rejected(decision_id=f"r{at}") for at in range(REJECTED_PER_RUN_MAX - 1)]
    run = run_of(paused(), *refused)
    apply(run, refusal(run, decide("perhaps")))

    late = outside(run, decide("perhaps", decision_id="third"))
    apply(run, *ruled(run, decide(decision_id="fourth")))
    used = outside(run, decide(decision_id="fifth"))

    assert REJECTED_PER_RUN_MAX == 100
    assert late.reason == "unknown_verdict"
    assert (used.reason, used.winner and used.winner.decision_id) == ("token_used", "fourth")


def test_a_late_arrival_after_a_hundred_refusals_is_told_the_winner() -> None:
    """Where the schedule decides and no refusal fits any more, the dead letter names it."""
    refused = [rejected(decision_id=f"r{at}") for at in range(REJECTED_PER_RUN_MAX)]
    run = run_of(paused(expires_at=EXPIRES, on_expiry="deny"), *refused)

    late = outside(run, decide(arrived_at=EXPIRES + timedelta(seconds=1)))

    assert late.reason == "token_used"
    assert late.winner is not None
    assert (late.winner.decision_id, late.winner.verdict) == ("schedule:run.2", "deny")


def test_every_reason_has_its_code() -> None:
    """Three reasons are one code for callers; what is no decision is a refusal of a command."""
    codes = {reason: diagnostic_code(reason, decision=True) for reason in REASONS}
    resume = {reason for reason in REASONS if codes[reason] == f"resume.{reason}"}

    assert resume == {
        "invalid_token",
        "token_used",
        "token_expired",
        "superseded",
        "run_ended",
        "artefact_changed",
        "conflict",
        "not_allowed",
    }
    incompatible = {name for name, code in codes.items() if code == "resume.incompatible_input"}
    assert incompatible == {"invalid_decision", "unknown_verdict", "invalid_data"}
    assert diagnostic_code("run_ended", decision=False) == "command.run_ended"
