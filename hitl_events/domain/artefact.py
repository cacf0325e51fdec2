"""The outputs of a run so far, as users see them: input, steps, gates, result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hitl_events.domain.events import DecisionReceived
from hitl_events.domain.references import shown
from hitl_events.domain.state import GateState, RunState
from hitl_events.domain.values import iso


def artefact_of(run: RunState) -> dict[str, Any]:
    """`{input, steps, gates, result}`; partial while the run is not over."""
    steps = [
        (name, occurrence, shown(step.output))
        for (kind, name, occurrence), step in run.steps.items()
        if kind == "step" and step.status == "completed"
    ]
    gates = [(name, occurrence, _gate(gate)) for (name, occurrence), gate in run.gates.items()]
    return {
        "input": shown(run.started.input),
        "steps": latest_by_name(steps),
        "gates": latest_by_name(gates),
        "result": None if run.result is None else shown(run.result),
    }


def latest_by_name(found: Iterable[tuple[str, int, Any]]) -> dict[str, Any]:
    """The latest under the bare name, earlier occurrences as `name#1`, `name#2`, ... beside it.

    Nothing is lost where `name#1` is a name of its own: the earlier one has one more `#` then.
    """
    by_name: dict[str, dict[int, Any]] = {}
    for name, occurrence, held in found:
        by_name.setdefault(name, {})[occurrence] = held
    shown: dict[str, Any] = {}
    for name, held in by_name.items():
        last = max(held)
        for occurrence in sorted(held):
            mark = "#"
            while (earlier := f"{name}{mark}{occurrence}") in by_name or earlier in shown:
                mark += "#"
            shown[name if occurrence == last else earlier] = held[occurrence]
    return shown


def _gate(gate: GateState) -> dict[str, Any]:
    return {
        "status": gate.status,
        "draft": shown(gate.paused.draft),
        "decision": None if gate.decision is None else decision_json(gate.decision),
    }


def decision_json(decision: DecisionReceived) -> dict[str, Any]:
    """A decision as the artefact shows it."""
    return {
        "verdict": decision.verdict,
        "notes": decision.notes,
        "data": None if decision.data is None else shown(decision.data),
        "decided_by": decision.decided_by,
        "decision_id": decision.decision_id,
        "decided_at": iso(decision.recorded_at),
        "resolution": decision.resolution,
        "channel": decision.channel,
        "identity": decision.identity,
    }
