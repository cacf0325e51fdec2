"""The step graph of a recipe, or the recorded steps of a run, as pure data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hitl_events.domain.events import Event, GatePaused, RunStarted, StepCompleted, StepFailed
from hitl_events.domain.values import value
from hitl_events.errors import HitlError


@value
class PlanNode:
    """One step or gate; `after` are the names it waits for."""

    name: str
    kind: str
    after: tuple[str, ...] = ()
    once: bool = False
    undo: bool = False
    proceed: tuple[str, ...] = ()


@value
class Plan:
    """`nodes` in the order in which they start where nothing holds them back."""

    name: str
    version: str
    nodes: tuple[PlanNode, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The plan as one JSON object."""
        return {
            "name": self.name,
            "version": self.version,
            "nodes": [
                {
                    "name": node.name,
                    "kind": node.kind,
                    "after": list(node.after),
                    "once": node.once,
                    "undo": node.undo,
                    "proceed": list(node.proceed),
                }
                for node in self.nodes
            ],
        }

    def to_text(self) -> str:
        """One line per node."""
        lines = [f"{self.name} (version {self.version})"]
        for node in self.nodes:
            notes = [f"after {', '.join(node.after)}"] if node.after else []
            notes += ["once"] if node.once else []
            notes += ["undo"] if node.undo else []
            notes += [f"goes on with {', '.join(node.proceed)}"] if node.proceed else []
            said = f"  [{'; '.join(notes)}]" if notes else ""
            lines.append(f"  {node.kind:5} {node.name}{said}")
        if not self.nodes:
            lines.append("  a function: its steps are known once a run has made them")
        return "\n".join(lines)

    def to_mermaid(self) -> str:
        """A Mermaid flowchart: gates are rhombs, steps boxes."""
        ids = {node.name: f"n{index}" for index, node in enumerate(self.nodes)}
        lines = ["flowchart TD"]
        for node in self.nodes:
            label = node.name.replace('"', "#quot;")
            shape = f'{{"{label}"}}' if node.kind == "gate" else f'["{label}"]'
            lines.append(f"    {ids[node.name]}{shape}")
        lines += [
            f"    {ids[before]} --> {ids[node.name]}"
            for node in self.nodes
            for before in node.after
            if before in ids
        ]
        return "\n".join(lines)


def plan_of_events(events: Iterable[Event]) -> Plan:
    """The recorded steps and gates of a run, in the order of their record."""
    plan: Plan | None = None
    nodes: dict[tuple[str, str, int], PlanNode] = {}
    last: tuple[str, ...] = ()
    for event in events:
        if isinstance(event, RunStarted):
            plan = Plan(name=event.recipe, version=event.version)
        found = _recorded(event)
        if found is not None and found not in nodes:
            kind, name, occurrence = found
            shown = name if occurrence == 1 else f"{name} ({occurrence})"
            nodes[found] = PlanNode(name=shown, kind=kind, after=last)
            last = (shown,)
    if plan is None:
        raise HitlError("expected a run with events, found none")
    return Plan(name=plan.name, version=plan.version, nodes=tuple(nodes.values()))


def _recorded(event: Event) -> tuple[str, str, int] | None:
    if isinstance(event, (StepCompleted, StepFailed)):
        return event.kind, event.step, event.occurrence
    if isinstance(event, GatePaused):
        return "gate", event.gate, event.occurrence
    return None
