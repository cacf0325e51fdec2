"""Diagnostics: why an outcome has its shape, with a stable code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Any

from hitl_events.domain.state import RunState
from hitl_events.domain.values import gate_id, iso, value


@value
class Diagnostic:
    """`level` is info, warn or error; `code` is from the list of CONTRACT."""

    level: str
    code: str
    message: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])

    def __getitem__(self, name: str) -> Any:
        """The diagnostic as its JSON object is read."""
        return getattr(self, name)


def diagnostics_of(run: RunState) -> list[Diagnostic]:
    """What the events of a run say about it."""
    return [*_ending(run), *_left_uncertain(run), *_expired(run), *_pending(run)]


def _ending(run: RunState) -> Iterator[Diagnostic]:
    if run.blocked is not None and not run.ended:
        blocked = run.blocked
        data = {"expected": blocked.expected, "found": blocked.found, "at_seq": blocked.at_seq}
        yield Diagnostic(level="error", code=blocked.code, message=blocked.message, data=data)
    if run.failed is not None:
        failed = run.failed
        data = {"step": failed.step, "occurrence": failed.occurrence}
        yield Diagnostic(level="error", code=failed.code, message=failed.message, data=data)
    if run.phase == "cancelled":
        message = ": ".join(filter(None, ("the run was cancelled", run.reason)))
        yield Diagnostic(
            level="error", code="run.cancelled", message=message, data={"reason": run.reason}
        )


def _left_uncertain(run: RunState) -> Iterator[Diagnostic]:
    """An ended run asks nobody any more; that a `once` step may have happened stays to be told."""
    for (_, step, occurrence), held in run.steps.items():
        if run.ended and held.status == "started":
            yield Diagnostic(
                level="warn",
                code="step.uncertain",
                message=(
                    f"step {step!r} began and its end is not known: the run ended before "
                    f"anybody said whether it happened; look at its target"
                ),
                data={"step": step, "occurrence": occurrence},
            )


def _expired(run: RunState) -> Iterator[Diagnostic]:
    told = run.failed is not None and run.failed.code == "gate.expired"
    for (name, occurrence), gate in run.gates.items():
        if gate.status == "expired" and not told:
            message = f"gate {name!r} expired without a decision"
            data = {"gate": name, "occurrence": occurrence}
            yield Diagnostic(level="warn", code="gate.expired", message=message, data=data)


def _pending(run: RunState) -> Iterator[Diagnostic]:
    for gate in run.pending.values():
        paused = gate.paused
        deadline = iso(paused.expires_at) if paused.expires_at else None
        if paused.about is not None:
            yield Diagnostic(
                level="warn",
                code="step.uncertain",
                message=(
                    f"step {paused.about.step!r} began and its end is not known: look whether it "
                    f"happened, then decide one of {', '.join(paused.verdicts)}"
                ),
                data={"step": paused.about.step, "occurrence": paused.about.occurrence},
            )
        yield Diagnostic(
            level="info",
            code="gate.pending",
            message=f"gate {paused.gate!r} waits for a decision: {', '.join(paused.verdicts)}",
            data={
                "gate": paused.gate,
                "gate_id": gate_id(paused.run_id, paused.seq),
                "kind": paused.pause_kind,
                "deadline": deadline,
            },
        )
