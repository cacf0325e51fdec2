import json
from typing import Any

import pytest

from hitl_events.domain.canonical import DEPTH_MAX
from hitl_events.domain.diagnostics import Diagnostic
from hitl_events.domain.events import (
    About,
    Event,
    GateClosed,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunFailed,
)
from hitl_events.domain.outcome import Outcome, canonical_outcome, refused
from hitl_events.domain.refusals import Rejection, Winner
from hitl_events.domain.token import TokenKeys
from tests.unit.domain.every_event import histories, main_line
from tests.unit.domain.histories import (
    NOW,
    RUN,
    SECOND,
    SEED,
    cancelled,
    paused,
    received,
    recorded,
    rejected,
    started,
    step_done,
    step_failed,
    step_started,
)

KEYS = TokenKeys([b"k" * 32])


def _outcome(*events: Event, **given: Any) -> Outcome:
    return Outcome(recorded(started(input=b'{"a":1}'), *events), **given)


@pytest.mark.parametrize(
    ("events", "word"),
    [
        ([], "running"),
        ([paused()], "paused"),
        ([RunCompleted(result=b"1")], "ok"),
        ([RunFailed(code="c", message="m")], "error"),
        ([cancelled()], "running"),
        ([cancelled(), RunCancelled(reason="r")], "error"),
        ([RunBlocked(code="c", message="m", code_fingerprint="f")], "error"),
    ],
)
def test_an_outcome_has_one_of_four_words(events: list[Event], word: str) -> None:
    """ok, paused, running or error, from the events alone."""
    assert _outcome(*events).status == word


def test_the_artefact_is_partial_while_paused() -> None:
    """A paused outcome shows input, every output so far and the draft under review."""
    outcome = _outcome(step_done(output={"n": 1}), paused(draft={"text": "t"}))

    assert outcome.artefact == {
        "input": {"a": 1},
        "steps": {"s": {"n": 1}},
        "gates": {"g": {"status": "pending", "draft": {"text": "t"}, "decision": None}},
        "result": None,
    }


def test_a_closed_gate_shows_its_decision() -> None:
    """Verdict, notes, data, who, id and time of the decision stand in the artefact."""
    outcome = _outcome(
        paused(), received(notes="n", data=b'{"k":1}', decided_by="ann", channel="cli")
    )

    assert outcome.artefact["gates"]["g"]["decision"] == {
        "verdict": "approve",
        "notes": "n",
        "data": {"k": 1},
        "decided_by": "ann",
        "decision_id": "first",
        "decided_at": "2026-01-01T00:00:03.000000Z",
        "resolution": "approve",
        "channel": "cli",
        "identity": "claimed",
    }


def test_the_latest_occurrence_has_the_bare_name() -> None:
    """Earlier occurrences stand as `name#1`, `name#2` beside it, for steps and for gates."""
    outcome = _outcome(
        step_done(output=1),
        paused(),
        received("request_changes"),
        step_done(output=2, occurrence=2),
        paused(occurrence=2),
        received("deny", occurrence=2, decision_id="2"),
        step_done(output=3, occurrence=3),
    )

    assert outcome.artefact["steps"] == {"s#1": 1, "s#2": 2, "s": 3}
    gates = {name: gate["status"] for name, gate in outcome.artefact["gates"].items()}
    assert gates == {"g#1": "decided", "g": "denied"}


def test_undo_steps_are_no_outputs() -> None:
    """What an undo step gave is in the trace, not among the outputs."""
    outcome = _outcome(step_done(output=1), step_done(output=2, kind="undo"))

    assert outcome.artefact["steps"] == {"s": 1}
    assert [entry.kind for entry in outcome.trace].count("step.completed") == 2


def test_tokens_need_the_key() -> None:
    """Without a key an outcome has no token; with it one for each open gate."""
    events = [paused(token_kid=KEYS.kid), paused("h", token_kid=KEYS.kid)]

    plain, held = _outcome(*events), _outcome(*events, keys=KEYS)

    assert (plain.token, plain.tokens, "token" in plain.to_json()) == (None, {}, False)
    assert list(held.tokens) == ["g", "h"]
    assert held.token == held.tokens["g"] == KEYS.issue(RUN, 2, SEED, KEYS.kid)
    assert held.to_json()["tokens"] == held.tokens


def test_a_token_has_the_name_of_its_gate() -> None:
    """An earlier occurrence that is still open has the same name among tokens as among gates."""
    outcome = _outcome(
        paused(token_kid=KEYS.kid),
        paused(occurrence=2, token_kid=KEYS.kid),
        received(occurrence=2),
        keys=KEYS,
    )

    assert outcome.artefact["gates"]["g#1"]["status"] == "pending"
    assert outcome.tokens == {"g#1": KEYS.issue(RUN, 2, SEED, KEYS.kid)}


def test_closed_gates_have_no_token() -> None:
    """A token is shown only while it can close something."""
    closed: list[Event] = [paused(token_kid=KEYS.kid), received()]

    assert _outcome(*closed, keys=KEYS).tokens == {}


def test_a_pause_names_its_gate() -> None:
    """Each open gate has an info diagnostic with its name, kind and deadline."""
    outcome = _outcome(paused(expires_at=NOW + 60 * SECOND, pause_kind="external"), paused("h"))

    found = [
        (one.level, one.code, one.data["gate"], one.data["kind"]) for one in outcome.diagnostics
    ]
    assert found == [
        ("info", "gate.pending", "g", "external"),
        ("info", "gate.pending", "h", "human"),
    ]
    assert outcome.diagnostics[0].data["deadline"] == "2026-01-01T00:01:00.000000Z"
    assert outcome.diagnostics[1].data["deadline"] is None
    assert outcome.pause_kind == "external"


def test_an_uncertain_step_is_said() -> None:
    """A reconcile gate comes with step.uncertain, and is the pause's kind."""
    asked = paused("reconcile:s", pause_kind="reconcile", about=About(step="s", occurrence=1))

    outcome = _outcome(asked)

    assert [one.code for one in outcome.diagnostics] == ["step.uncertain", "gate.pending"]
    assert outcome.diagnostics[0].data == {"step": "s", "occurrence": 1}
    assert outcome.pause_kind == "reconcile"


def test_an_ended_run_says_what_stayed_uncertain() -> None:
    """A once step that began and has no end in a cancelled run is named, asked about or not."""
    asked = paused("reconcile:s", pause_kind="reconcile", about=About(step="s", occurrence=1))
    end: list[Event] = [cancelled("why"), RunCancelled(reason="why")]

    for history in ([step_started(), *end], [step_started(), asked, *end]):
        found = _outcome(*history).diagnostics
        assert [(one.level, one.code) for one in found] == [
            ("error", "run.cancelled"),
            ("warn", "step.uncertain"),
        ]
        assert found[1].data == {"step": "s", "occurrence": 1}


@pytest.mark.parametrize(
    "history",
    [
        [step_started(), cancelled()],
        [step_started(), step_done(), cancelled(), RunCancelled(reason="r")],
        [step_started(), step_failed(), cancelled(), RunCancelled(reason="r")],
        [step_started()],
    ],
)
def test_what_is_known_or_may_still_come_is_not_uncertain(history: list[Event]) -> None:
    """A step with an end is none, nor is one whose end may be recorded yet."""
    assert "step.uncertain" not in [one.code for one in _outcome(*history).diagnostics]


@pytest.mark.parametrize(
    ("events", "level", "code"),
    [
        ([RunFailed(code="step.failed", message="m", step="s")], "error", "step.failed"),
        ([cancelled("why"), RunCancelled(reason="why")], "error", "run.cancelled"),
        (
            [RunBlocked(code="recipe.stuck", message="m", code_fingerprint="f")],
            "error",
            "recipe.stuck",
        ),
        ([paused(), GateClosed(gate="g", occurrence=1, reason="expired")], "warn", "gate.expired"),
    ],
)
def test_what_went_wrong_has_a_code(events: list[Event], level: str, code: str) -> None:
    """A failed, cancelled or blocked run, and an expired gate, say so with a stable code."""
    assert [(one.level, one.code) for one in _outcome(*events).diagnostics] == [(level, code)]


def test_an_expiry_that_ends_the_run_is_said_once() -> None:
    """Where the run failed because of the expiry, that is the one diagnostic."""
    closed = GateClosed(gate="g", occurrence=1, reason="expired")
    failed = RunFailed(code="gate.expired", message="m")

    assert [one.code for one in _outcome(paused(), closed, failed).diagnostics] == ["gate.expired"]


def test_a_denied_run_ends_ok() -> None:
    """A denial is a result like another: ok, with the decision in the artefact."""
    outcome = _outcome(paused(), received("deny"), RunCompleted(result=b'"refused"'))

    assert (outcome.status, outcome.artefact["result"]) == ("ok", "refused")
    assert outcome.artefact["gates"]["g"]["status"] == "denied"
    assert outcome.diagnostics == []


def test_a_refusal_is_an_outcome() -> None:
    """Whoever asked gets status error and one diagnostic with reason and winner."""
    winner = Winner(decision_id="d", verdict="deny", decided_by="ann", decided_at=NOW)
    rejection = Rejection(reason="token_used", message="m", winner=winner)

    outcome = refused(recorded(started(), paused()), rejection, decision=True)

    (said,) = outcome.diagnostics
    assert (outcome.status, said.level, said.code) == ("error", "error", "resume.token_used")
    assert said.data == {
        "reason": "token_used",
        "winner": {
            "decision_id": "d",
            "verdict": "deny",
            "decided_by": "ann",
            "decided_at": "2026-01-01T00:00:00.000000Z",
        },
    }
    assert outcome.artefact["gates"]["g"]["status"] == "pending"
    assert (outcome.token, outcome.pause_kind) == (None, None)


def test_only_a_pause_has_a_kind() -> None:
    """`pause_kind` stands in the JSON of a paused outcome and of no other."""
    running, waiting = _outcome(), _outcome(paused())

    assert "pause_kind" not in running.to_json()
    assert waiting.to_json()["pause_kind"] == "human"


def test_a_refusal_without_a_run_is_empty() -> None:
    """Without a run, run_id, recipe, version and seq are null, artefact and trace are empty."""
    outcome = refused((), Rejection(reason="invalid_token", message="m"), decision=True)

    shown = outcome.to_json()
    assert [shown[name] for name in ("run_id", "recipe", "version", "seq")] == [None] * 4
    assert (shown["artefact"], shown["trace"]) == ({}, [])
    assert shown["diagnostics"][0]["data"] == {"reason": "invalid_token", "winner": None}


def test_the_json_form_is_json() -> None:
    """Every outcome is one JSON document with the fields of the contract, no bytes in it."""
    for history in [main_line(), *histories()]:
        shown = json.loads(json.dumps(Outcome(history, keys=KEYS).to_json()))
        assert {"status", "run_id", "recipe", "version", "seq"} <= set(shown)
        assert {"artefact", "diagnostics", "trace"} <= set(shown)


def test_an_outcome_leaves_nothing_behind() -> None:
    """The outcome as of event N is the same before and after later ones were asked for."""
    for history in histories():
        ends = range(1, len(history) + 1)
        forward = [canonical_outcome(history[:end]) for end in ends]
        backward = [canonical_outcome(history[:end]) for end in reversed(ends)]
        assert forward == backward[::-1]
        assert [Outcome(history[:end]).seq for end in ends] == list(ends)


def test_the_deepest_values_have_an_outcome() -> None:
    """Input, output, draft, data and result may each be nested as deep as a value may be."""
    deep = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    history: list[Event] = [
        started(input=deep),
        step_done(output=json.loads(deep)),
        paused(draft=json.loads(deep)),
        rejected(data=deep),
        received(data=deep),
        RunCompleted(result=deep),
    ]

    compared = json.loads(canonical_outcome(recorded(*history)))

    assert compared["artefact"]["gates"]["g"]["decision"]["data"] == json.loads(deep)


def test_what_the_edge_adds_comes_last() -> None:
    """Diagnostics of the runtime stand after those of the events."""
    extra = Diagnostic(level="warn", code="adapter.missing_durability", message="m")

    codes = [one.code for one in _outcome(paused(), extra=[extra]).diagnostics]

    assert codes == ["gate.pending", "adapter.missing_durability"]
