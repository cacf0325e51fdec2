"""Recipes as data: what a random script asks for, and the recipe that plays it.

Every step gets the facts that caused it (outputs, decision ids, each unique) as its argument, so
that whoever runs it can tell whether they were durable by then. What a body saw goes to a listener,
so that two replays can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from hitl_events.domain.events import RunStarted
from hitl_events.domain.values import iso, value
from hitl_events.errors import GateExpired, StepError
from hitl_events.ports import RegisteredRecipe, Watch
from hitl_events.recipes.book import Registered
from hitl_events.recipes.builder import hitl
from hitl_events.recipes.calls import PauseKind
from hitl_events.recipes.driver import Driver
from hitl_events.recipes.recipe import Recipe, UndoOn, recipe
from hitl_events.recipes.run import Run
from hitl_events.recipes.step import Retry

Facts: TypeAlias = tuple[str, ...]
Listen: TypeAlias = Callable[[str], Callable[[str], None]]
"""Called with a run's id when a body begins; what it gives hears each thing that the body sees."""

REVISE = "request_changes"


@dataclass
class Fields:
    """The data that some gates take with a decision."""

    score: int


class Certain(Exception):
    """A step that raises it has certainly not happened (`Retry(certain=...)`)."""


class Refused(Exception):
    """What a script raises at a denied gate."""


class _Stopped(Exception):
    """Ends a script early, with a result."""


@value
class StepAct:
    """`pause_s` comes before the first retry; `caught`: the script goes on after its failure."""

    name: str
    once: bool = False
    attempts: int = 1
    pause_s: float = 0.0
    undo: bool = False
    caught: bool = False

    @property
    def retry(self) -> Retry:
        """The retry policy."""
        return Retry(self.attempts, initial_s=self.pause_s, certain=(Certain,))


@value
class GateAct:
    """`fields`: decisions may bring data; `denied` is what a verdict of `deny` does."""

    name: str
    verdicts: tuple[str, ...] = ("approve", "deny")
    expires_s: float | None = None
    on_expiry: str | None = None
    kind: PauseKind = "human"
    fields: bool = False
    caught: bool = False
    denied: Literal["go", "stop", "raise"] = "go"


@value
class LoopAct:
    """A gate that opens again after each `request_changes`, with a step in between."""

    gate: GateAct
    revise: StepAct


@value
class AllAct:
    """Branches at the same time."""

    branches: tuple[tuple[Act, ...], ...]


@value
class UndoAct:
    """Take back what is done so far."""


@value
class DrawAct:
    """Ask the run for the time, a number and a UUID."""


Act: TypeAlias = StepAct | GateAct | LoopAct | AllAct | UndoAct | DrawAct


@value
class Script:
    """A function recipe: `acts` one after the other."""

    acts: tuple[Act, ...]
    undo_on: tuple[UndoOn, ...] = ()


@value
class NodeAct:
    """A node of a graph."""

    act: StepAct | GateAct
    after: tuple[str, ...] = ()
    revise: str | None = None


@value
class Graph:
    """A builder recipe."""

    nodes: tuple[NodeAct, ...]
    undo_on: tuple[UndoOn, ...] = ()


Plot: TypeAlias = Script | Graph


def steps_of(plot: Plot) -> list[StepAct]:
    """Every step that a plot may run."""
    if isinstance(plot, Graph):
        return [node.act for node in plot.nodes if isinstance(node.act, StepAct)]
    return [step for act in plot.acts for step in _steps(act)]


def _steps(act: Act) -> list[StepAct]:
    match act:
        case StepAct():
            return [act]
        case LoopAct():
            return [act.revise]
        case AllAct():
            return [step for branch in act.branches for each in branch for step in _steps(each)]
        case _:
            return []


_SHELL = "expected a shell that plays the script, found one that"


def work(given: object) -> object:
    """The function of every step; a shell that plays scripts says itself what came of it."""
    raise AssertionError(f"{_SHELL} does {given!r}")


def take_back(output: object) -> object:
    """The undo of every step that has one."""
    raise AssertionError(f"{_SHELL} undoes {output!r}")


def _deaf(_: str) -> Callable[[str], None]:
    return lambda _: None


def handle_of(name: str, version: str, plot: Plot, listen: Listen = _deaf) -> Recipe:
    """The recipe that plays a plot."""
    if isinstance(plot, Graph):
        return _graph_of(name, version, plot)

    async def body(run: Run, input: object) -> object:  # noqa: A002 - as CONTRACT names it
        return await _Player(run, listen(run.id)).play(plot, input)

    return recipe(name, version=version)(body).configure(undo_on=plot.undo_on)


def _graph_of(name: str, version: str, graph: Graph) -> Recipe:
    built = Recipe(name, version=version).configure(undo_on=graph.undo_on)
    for node in graph.nodes:
        act = node.act
        if isinstance(act, StepAct):
            undo = take_back if act.undo else None
            options: dict[str, Any] = {"once": act.once, "retry": act.retry, "undo": undo}
            built.step(act.name, work, after=node.after, **options)
        else:
            part = hitl(
                act.name,
                revise=node.revise,
                verdicts=act.verdicts,
                expires_in=act.expires_s,
                on_expiry=act.on_expiry,
                kind=act.kind,
                data=Fields if act.fields else None,
            )
            built.use(part, after=node.after)
    return built


class Played(Registered):
    """A plot as the engine sees it; another plot is other code."""

    def __init__(self, handle: Recipe, plot: Plot) -> None:
        super().__init__(handle)
        self.code_fingerprint = sha256(repr(plot).encode()).hexdigest()[:16]


class PlotBook:
    """The port `RecipeBook` over plots; a name may get other code, as by a deployment."""

    def __init__(self) -> None:
        self._held: dict[str, RegisteredRecipe] = {}

    def put(self, played: RegisteredRecipe) -> None:
        """From now on its name and version stand for this code."""
        self._held[played.name] = played

    def find(self, name: str, version: str | None) -> RegisteredRecipe | None:
        """The recipe of that name; each has one version here."""
        held = self._held.get(name)
        return held if held is None or version in {None, held.version} else None

    def known(self) -> tuple[str, ...]:
        """The names."""
        return tuple(self._held)


def driver_of(played: RegisteredRecipe, started: RunStarted, watch: Watch) -> Driver:
    """A fresh driver with the methods that only the library's own has."""
    driver = played.driver(started, watch)
    assert isinstance(driver, Driver)
    return driver


class _Player:
    """Plays one script for one run. `hear` gets everything that the body sees, in order."""

    def __init__(self, run: Run, hear: Callable[[str], None]) -> None:
        self._run = run
        self._hear = hear

    async def play(self, script: Script, input_: object) -> object:
        self._hear(f"input {input_}")
        try:
            facts = await self._all_of(script.acts, (str(input_),))
        except _Stopped as stopped:
            return {"stopped": str(stopped)}
        return {"facts": list(facts)}

    async def _all_of(self, acts: Sequence[Act], cause: Facts) -> Facts:
        for act in acts:
            cause = await self._act(act, cause)
        return cause

    async def _act(self, act: Act, cause: Facts) -> Facts:
        match act:
            case StepAct():
                return await self._step(act, cause)
            case GateAct():
                _, cause = await self._gate(act, cause)
                return cause
            case LoopAct():
                return await self._loop(act, cause)
            case AllAct():
                branches = [self._all_of(branch, cause) for branch in act.branches]
                found: tuple[Facts, ...] = await self._run.all(*branches)
                return tuple(fact for facts in found for fact in facts)
            case UndoAct():
                return await self._undo(cause)
            case DrawAct():
                run = self._run
                self._hear(f"{iso(run.now())} {run.random()} {run.uuid()}")
                return cause

    async def _step(self, act: StepAct, cause: Facts) -> Facts:
        undo = take_back if act.undo else None
        call = self._run.step(
            work, list(cause), name=act.name, once=act.once, retry=act.retry, undo=undo
        )
        try:
            output = await call
        except StepError as error:
            self._hear(f"{act.name} failed: {error}")
            if not act.caught:
                raise
            return cause
        self._hear(f"{act.name}: {output}")
        return (str(output),)

    async def _gate(self, act: GateAct, cause: Facts) -> tuple[str, Facts]:
        call = self._run.gate(
            act.name,
            draft={"facts": list(cause)},
            verdicts=act.verdicts,
            data=Fields if act.fields else None,
            kind=act.kind,
            expires_in=act.expires_s,
            on_expiry=act.on_expiry,
        )
        try:
            made = await call
        except GateExpired:
            self._hear(f"{act.name} expired at {iso(self._run.now())}")
            if not act.caught:
                raise
            return "expired", cause
        self._hear(f"{act.name}: {made.verdict} {made.decision_id} {made.notes} {made.data}")
        if made.verdict == "deny" and act.denied == "stop":
            raise _Stopped(act.name)
        if made.verdict == "deny" and act.denied == "raise":
            raise Refused(act.name)
        return made.verdict, (made.decision_id,)

    async def _loop(self, act: LoopAct, cause: Facts) -> Facts:
        while True:
            verdict, cause = await self._gate(act.gate, cause)
            if verdict != REVISE:
                return cause
            cause = await self._step(act.revise, cause)

    async def _undo(self, cause: Facts) -> Facts:
        try:
            await self._run.undo()
        except StepError as error:
            self._hear(f"undo failed: {error}")
        return cause
