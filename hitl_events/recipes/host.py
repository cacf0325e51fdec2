"""Where a handle's own `run` and `resume` go: a runtime, known here only by its shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypedDict, runtime_checkable

from hitl_events.domain.outcome import Outcome
from hitl_events.errors import RecipeError
from hitl_events.recipes.plan import Plan


class DecisionFields(TypedDict, total=False):
    """What a decision may bring beside its token and verdict."""

    notes: str | None
    data: Any
    decision_id: str | None
    decided_by: str | None


@runtime_checkable
class Host(Protocol):
    """The part of `Runtime` that handles use."""

    async def run(self, recipe: Any, input_: Any, /, *, run_id: str | None = None) -> Outcome:
        """Start a run, or take it up, until it pauses or ends."""
        ...

    async def decide(
        self,
        token: str,
        verdict: str,
        *,
        notes: str | None = None,
        data: Any = None,
        decision_id: str | None = None,
        decided_by: str | None = None,
    ) -> Outcome:
        """Bring a decision and drive the run on."""
        ...

    def plan_of(self, run_id: str) -> Plan:
        """The recorded steps and gates of a run."""
        ...


_factories: list[Callable[[Any], Host]] = []


def set_local_host(factory: Callable[[Any], Host]) -> None:
    """Say how a process-local runtime is made for a handle that was given none."""
    _factories[:] = [factory]


def local_host(handle: Any) -> Host:
    """A process-local runtime for a handle."""
    if not _factories:
        raise RecipeError("expected a runtime: give the recipe one with .defaults(runtime=...)")
    return _factories[0](handle)
