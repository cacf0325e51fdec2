"""Recipes as graphs: nodes with edges, run as branches of one recipe body by the same driver."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypedDict, Unpack

from hitl_events.domain.artefact import latest_by_name
from hitl_events.domain.state import gate_status
from hitl_events.domain.values import iso, value
from hitl_events.errors import RecipeError
from hitl_events.recipes.calls import Decision, GateOptions, PauseKind, Signal
from hitl_events.recipes.plan import PlanNode
from hitl_events.recipes.run import Run, set_signal
from hitl_events.recipes.step import NO_RETRY, Retry, StepSpec, name_of, names, spec_of

REVISE_VERDICT = "request_changes"


class StepOptions(TypedDict, total=False):
    """Of a step, as `Run.step` has them."""

    once: bool
    retry: Retry | None
    timeout_s: timedelta | float | None
    undo: Callable[..., Any] | None


class MoreGateOptions(TypedDict, total=False):
    """Of a gate, as `Run.gate` has them."""

    data: Any
    kind: PauseKind
    expires_in: timedelta | float | None
    on_expiry: str | None


class Body(Protocol):
    """A recipe that is a node of another."""

    name: str

    def start(self, run: Run, input_: Any) -> Coroutine[Any, Any, Any]:
        """The coroutine of its body."""
        ...


@value
class GatePart:
    """A gate that can be dropped into any recipe (`hitl(...)`)."""

    name: str
    options: GateOptions
    proceed: tuple[str, ...] = ("approve",)
    revise: Callable[..., Any] | str | None = None
    draft: Callable[[dict[str, Any]], Any] | None = None


@value
class StepPart:
    """A step of a builder: the function gets the artefact so far."""

    function: Callable[..., Any]
    options: dict[str, Any]

    def spec(self, name: str) -> StepSpec:
        """The step under its name; `RecipeError` for options that make no sense."""
        held = self.options
        retry, once = held.get("retry") or NO_RETRY, bool(held.get("once"))
        return spec_of(self.function, (name, once, retry, held.get("timeout_s"), held.get("undo")))


@value
class Node:
    """A part in its place."""

    name: str
    part: StepPart | GatePart | Body
    after: tuple[str, ...] = ()
    priority: int = 0

    @property
    def kind(self) -> str:
        """step, gate or recipe."""
        if isinstance(self.part, StepPart):
            return "step"
        return "gate" if isinstance(self.part, GatePart) else "recipe"

    def planned(self) -> PlanNode:
        """The node in a plan."""
        options: Mapping[str, Any] = self.part.options if isinstance(self.part, StepPart) else {}
        return PlanNode(
            name=self.name,
            kind=self.kind,
            after=self.after,
            once=bool(options.get("once")),
            undo=options.get("undo") is not None,
            proceed=self.part.proceed if isinstance(self.part, GatePart) else (),
        )


def hitl(
    gate_name: str,
    proceed: Sequence[str] = ("approve",),
    revise: Callable[..., Any] | str | None = None,
    *,
    draft: Callable[[dict[str, Any]], Any] | None = None,
    verdicts: Sequence[str] = ("approve", "deny"),
    **gate_options: Unpack[MoreGateOptions],
) -> GatePart:
    """A gate as a part. What comes after it runs only if it closes with a verdict in `proceed`.

    `revise` is a step (a function, or the name of one in the recipe) that runs on
    `request_changes`, after which the gate opens again. `draft(artefact)` is what it shows; without
    it all outputs so far.
    """
    unknown = set(gate_options) - MoreGateOptions.__optional_keys__
    if unknown:
        wanted = sorted(MoreGateOptions.__optional_keys__)
        raise RecipeError(f"expected gate options of {wanted}, found {sorted(unknown)}")
    for what, function in (
        ("draft", draft),
        ("revise", None if isinstance(revise, str) else revise),
    ):
        if not (function is None or callable(function)):
            raise RecipeError(f"expected a function as {what}, found {function!r}")
    offered, let_through = names(verdicts, "verdicts"), names(proceed, "proceed")
    if revise is not None and REVISE_VERDICT not in offered:
        offered = (*offered, REVISE_VERDICT)
    options = GateOptions(verdicts=offered, **gate_options)
    strange = set(let_through) - set(offered) - {options.on_expiry}
    if strange:
        raise RecipeError(f"expected proceed to name verdicts of the gate, found {sorted(strange)}")
    return GatePart(
        name=name_of(hitl, gate_name),
        options=options,
        proceed=let_through,
        revise=revise,
        draft=draft,
    )


def ordered(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Every node after those it waits for; ties by priority (larger first), then as written."""
    left = {node.name: node for node in nodes}
    for node in left.values():
        unknown = [name for name in node.after if name not in left]
        if unknown:
            message = (
                f"expected after= of {node.name!r} to name nodes of the recipe, found {unknown}"
            )
            raise RecipeError(message)
    order: list[Node] = []
    done: set[str] = set()
    while left:
        ready = [node for node in left.values() if done.issuperset(node.after)]
        if not ready:
            raise RecipeError(f"expected a graph without cycles, found one among {sorted(left)}")
        first = max(ready, key=lambda node: node.priority)  # max keeps the earliest of equals
        order.append(first)
        done.add(first.name)
        del left[first.name]
    return tuple(order)


class Progress:
    """One run through a graph: what is done, skipped, and what its artefact is so far."""

    def __init__(self, run: Run, nodes: tuple[Node, ...], input_: Any) -> None:
        self.revised: Any = None
        self._run = run
        self._nodes = {node.name: node for node in nodes}
        self._input = input_
        self._done = {node.name: Signal() for node in nodes}
        self._outputs: dict[str, Any] = {}
        self._steps: list[tuple[str, int, Any]] = []
        self._gates: list[tuple[str, int, Any]] = []
        self._stopped_by: tuple[str, str] | None = None

    async def result(self) -> Any:
        """Run all nodes; the output of the last one, or an object of several."""
        await self._run.all(*(self._node(node) for node in self._nodes.values()))
        waited_for = {name for node in self._nodes.values() for name in node.after}
        last = [name for name in self._nodes if name not in waited_for]
        outputs = {name: self._outputs[name] for name in last if name in self._outputs}
        if not outputs and self._stopped_by is not None:
            return self.stopped
        return next(iter(outputs.values())) if len(last) == 1 else outputs

    @property
    def stopped(self) -> dict[str, str] | None:
        """The gate that let nothing through and its status; the result where nothing else is."""
        if self._stopped_by is None:
            return None
        gate, status = self._stopped_by
        return {"gate": gate, "status": status}

    async def gate_after(self, result: Any, part: GatePart) -> None:
        """A gate behind the result of a function recipe, which is its draft."""
        self._steps.append(("result", 1, result))
        shown = GatePart(
            name=part.name,
            options=part.options,
            proceed=part.proceed,
            revise=part.revise,
            draft=part.draft or (lambda _: result if self.revised is None else self.revised),
        )
        await self._gate(part.name, shown)

    async def _node(self, node: Node) -> None:
        for name in node.after:
            await self._done[name]
        if all(name in self._outputs for name in node.after):
            await self._work(node)
        set_signal(self._run, self._done[node.name])

    async def _work(self, node: Node) -> None:
        part = node.part
        if isinstance(part, StepPart):
            self._outputs[node.name] = await self._step(node.name, part)
        elif isinstance(part, GatePart):
            await self._gate(node.name, part)
        else:
            output = await part.start(self._run, self.artefact())
            self._steps.append((node.name, 1, output))  # or nobody after it could have it
            self._outputs[node.name] = output

    async def _step(self, name: str, part: StepPart) -> Any:
        call = self._run.step(part.function, self.artefact(), name=name, **part.options)
        output = await call
        self._steps.append((name, call.key[2], output))
        return output

    async def _gate(self, name: str, part: GatePart) -> None:
        while True:
            so_far = self.artefact()
            draft = so_far["steps"] if part.draft is None else part.draft(so_far)
            call = self._run.gate_with(part.name, draft, part.options)
            decision = await call
            status = gate_status(decision.verdict)
            shown = {"status": status, "draft": draft, "decision": _shown(decision)}
            self._gates.append((part.name, call.key[2], shown))
            if decision.verdict != REVISE_VERDICT or part.revise is None:
                break
            self.revised = await self._revise(part.revise)
        if decision.verdict in part.proceed:
            self._outputs[name] = shown["decision"]
        else:
            self._stopped_by = self._stopped_by or (part.name, status)

    async def _revise(self, revise: Callable[..., Any] | str) -> Any:
        if not isinstance(revise, str):
            return await self._step(name_of(revise, None), StepPart(function=revise, options={}))
        part = self._nodes[revise].part
        if not isinstance(part, StepPart):
            raise RecipeError(f"expected revise= to name a step, found the {part.name!r}")
        self._outputs[revise] = output = await self._step(revise, part)
        return output

    def artefact(self) -> dict[str, Any]:
        """What is there so far, in the shape of an outcome's artefact."""
        return {
            "input": self._input,
            "steps": latest_by_name(self._steps),
            "gates": latest_by_name(self._gates),
        }


def _shown(decision: Decision[Any]) -> dict[str, Any]:
    return {
        "verdict": decision.verdict,
        "notes": decision.notes,
        "data": decision.data,
        "decided_by": decision.decided_by,
        "decision_id": decision.decision_id,
        "decided_at": iso(decision.decided_at),
    }
