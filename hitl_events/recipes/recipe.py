"""The handle of a recipe, written as a function or as a graph; one kind of handle for both."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeAlias, Unpack, cast

from hitl_events.domain.outcome import Outcome
from hitl_events.domain.values import is_unicode
from hitl_events.errors import RecipeError
from hitl_events.recipes import values
from hitl_events.recipes.builder import (
    GatePart,
    Node,
    Progress,
    StepOptions,
    StepPart,
    ordered,
)
from hitl_events.recipes.fingerprint import fingerprint_of
from hitl_events.recipes.host import DecisionFields, Host, local_host
from hitl_events.recipes.plan import Plan
from hitl_events.recipes.run import Run, StepDefaults
from hitl_events.recipes.step import NAME_CHARS_MAX, Retry, checked_retry, names, seconds

VERSION_CHARS_MAX = 64
"""As a command that names it may have."""

UndoOn: TypeAlias = Literal["cancelled", "failed", "denied"]
UNDO_ON: tuple[UndoOn, ...] = ("cancelled", "failed", "denied")
After = str | Sequence[str]
BodyFunction = Callable[[Run, Any], Awaitable[Any]]


class Recipe:
    """A named, versioned workflow. As a builder: `.step(...)` and `.use(...)` add nodes of a graph.

    `.configure(input=..., undo_on=..., retry=..., timeout_s=...)` sets what holds for all of it,
    `.defaults(runtime=...)` what its own `run` and `resume` use. It is fixed by `.build()`, which a
    runtime calls when it takes the recipe.
    """

    def __init__(self, name: str, *, version: str) -> None:
        for what, text, most in (
            ("name", name, NAME_CHARS_MAX),
            ("version", version, VERSION_CHARS_MAX),
        ):
            given = cast("object", text)
            if not isinstance(given, str):
                raise RecipeError(f"expected a text as recipe {what}, found {given!r}")
            if not 0 < len(text) <= most or not is_unicode(text):
                raise RecipeError(f"expected a recipe {what} of 1 to {most} characters")
        self.name = name
        self.version = version
        self._input: Any = None
        self._parameter = ""
        self.step_defaults = StepDefaults()
        self.undo_on: frozenset[str] = frozenset()
        self._function: BodyFunction | None = None
        self._nodes: dict[str, Node] = {}
        self._appended: list[GatePart | Recipe] = []
        self._order: tuple[Node, ...] | None = None
        self._host: Host | None = None

    def take_function(self, function: BodyFunction, parameter: str) -> None:
        """Be a function recipe (`@recipe`) whose input comes in as `parameter`."""
        self._function = function
        self._parameter = parameter

    @property
    def input_type(self) -> Any:
        """The type of the input; Any where none is named.

        A function is asked when its recipe is used: its module may define the type below it.
        """
        if self._input is not None or self._function is None:
            return Any if self._input is None else self._input
        return values.parameter_types(self._function).get(self._parameter, Any)

    # building

    def step(
        self,
        name: str,
        fn: Callable[..., Any],
        *,
        after: After = (),
        priority: int = 0,
        override: bool = False,
        **options: Unpack[StepOptions],
    ) -> Recipe:
        """Add a step; `fn` gets the artefact so far, its output stands under `name`."""
        unknown = set(options) - StepOptions.__optional_keys__
        if unknown:
            wanted = sorted(StepOptions.__optional_keys__)
            raise RecipeError(f"expected step options of {wanted}, found {sorted(unknown)}")
        given = cast("object", priority)
        if not isinstance(given, (int, float)):
            raise RecipeError(f"expected a number as priority of {name!r}, found {given!r}")
        part = StepPart(function=fn, options={**options})
        node = Node(name=part.spec(name).name, part=part, after=_names(after), priority=priority)
        return self._add(node, override=override)

    def use(self, part: GatePart | Recipe, *, after: After = (), override: bool = False) -> Recipe:
        """Put a part in: a gate (`hitl(...)`) or another recipe.

        A graph takes over the nodes of a graph; what of it waits for nothing waits for `after`.
        A function recipe goes on with the part after its result.
        """
        self._check_open()
        given = cast("object", part)
        if not isinstance(given, (GatePart, Recipe)):
            raise RecipeError(f"expected a recipe or hitl(...) as part, found {given!r}")
        if self._function is not None:
            self._appended.append(part)
        elif isinstance(part, Recipe) and part._function is None:  # noqa: SLF001 - its own class
            for node in part._nodes.values():  # noqa: SLF001 - its own class
                placed = Node(
                    name=node.name,
                    part=node.part,
                    after=node.after or _names(after),
                    priority=node.priority,
                )
                self._add(placed, override=override)
        else:
            self._add(Node(name=part.name, part=part, after=_names(after)), override=override)
        return self

    def _add(self, node: Node, *, override: bool) -> Recipe:
        self._check_open()
        if self._function is not None:
            raise RecipeError(f"expected a builder, found the function recipe {self.name!r}")
        if node.name in self._nodes and not override:
            message = (
                f"expected a new node name, found {node.name!r} again; say override=True to replace"
            )
            raise RecipeError(message)
        self._nodes[node.name] = node
        return self

    def configure(
        self,
        *,
        input: Any = None,  # noqa: A002 - as the body's parameter is called
        undo_on: Sequence[UndoOn] | None = None,
        retry: Retry | None = None,
        timeout_s: timedelta | float | None = None,
    ) -> Recipe:
        """Options of the whole recipe.

        `input`: the type of a builder's input (a function has its annotation); `undo_on`: after
        which ends what is done is taken back; `retry` and `timeout_s`: defaults of its steps.
        """
        self._check_open()
        if input is not None:
            self._input = input
        if undo_on is not None:
            ends = names(undo_on, "undo_on")
            if not all(end in UNDO_ON for end in ends):
                raise RecipeError(f"expected undo_on of {UNDO_ON}, found {undo_on!r}")
            self.undo_on = frozenset(ends)
        held = self.step_defaults
        limit = held.timeout_s if timeout_s is None else seconds(timeout_s)
        self.step_defaults = StepDefaults(
            held.retry if retry is None else checked_retry(retry), limit
        )
        return self

    def defaults(self, *, runtime: Host | None = None) -> Recipe:
        """What this handle's own `run` and `resume` use."""
        given = cast("object", runtime)
        if given is not None and not isinstance(given, Host):
            raise RecipeError(f"expected an open Runtime as runtime, found {given!r}")
        self._host = runtime
        return self

    def build(self) -> Recipe:
        """Check and fix the recipe; `RecipeError` for cycles and unknown names."""
        if self._order is None:
            if self._function is None and not self._nodes:
                raise RecipeError(f"expected steps in recipe {self.name!r}, found none")
            self._check_revise()
            self._order = ordered(self._nodes.values())
        return self

    def _check_revise(self) -> None:
        for node in self._nodes.values():
            revise = node.part.revise if isinstance(node.part, GatePart) else None
            named = self._nodes.get(revise) if isinstance(revise, str) else None
            if isinstance(revise, str) and (named is None or named.kind != "step"):
                message = f"expected revise= of gate {node.name!r} to name a step, found {revise!r}"
                raise RecipeError(message)
        for part in self._appended:
            if isinstance(part, GatePart) and isinstance(part.revise, str):
                message = f"expected a function as revise= of gate {part.name!r}"
                raise RecipeError(f"{message}, found the name {part.revise!r}: there are no nodes")

    def _check_open(self) -> None:
        if self._order is not None:
            message = (
                f"expected changes before the recipe is built, found one to {self.name!r} after"
            )
            raise RecipeError(message)

    # being driven

    def start(self, run: Run, input_: Any) -> Coroutine[Any, Any, Any]:
        """The coroutine of the body, for the driver."""
        self.build()
        if self._function is not None and not self._appended:
            return cast("Coroutine[Any, Any, Any]", self._function(run, input_))  # as `recipe` saw
        return self._body(run, input_)

    async def _body(self, run: Run, input_: Any) -> Any:
        if self._function is None:
            return await Progress(run, self._order or (), values.as_json(input_)).result()
        result = await self._function(run, input_)
        for part in self._appended:
            if isinstance(part, Recipe):
                result = await part.start(run, result)
                continue
            progress = Progress(run, (), input_)
            await progress.gate_after(result, part)
            if progress.stopped is not None:
                return progress.stopped
            result = result if progress.revised is None else progress.revised
        return result

    def __call__(self, run: Run, input_: Any) -> Awaitable[Any]:
        """The body inside another recipe's: `await other(run, value)`."""
        return self.start(run, input_)

    @property
    def code_fingerprint(self) -> str:
        """Changes with the code of the recipe's own functions: a mended one is tried again."""
        return fingerprint_of(self.plan(), self._code())

    def _code(self) -> Iterator[Callable[..., Any]]:
        """Every function of the author's that decides what the recipe asks for."""
        if self._function is not None:
            yield self._function
        for part in (*(node.part for node in self._nodes.values()), *self._appended):
            if isinstance(part, StepPart):
                yield part.function
            elif isinstance(part, GatePart):
                yield from (each for each in (part.draft, part.revise) if callable(each))
            elif isinstance(part, Recipe):
                yield from part._code()  # noqa: SLF001 - its own class

    # being used

    def plan(self, run_id: str | None = None) -> Plan:
        """The graph; of a function recipe its name and version, with a run its recorded steps."""
        if run_id is not None:
            return self._runtime().plan_of(run_id)
        nodes = ordered(self._nodes.values())
        return Plan(
            name=self.name, version=self.version, nodes=tuple(node.planned() for node in nodes)
        )

    async def run(
        self,
        input: Any,  # noqa: A002 - the name that CONTRACT gives it
        *,
        run_id: str | None = None,
    ) -> Outcome:
        """Start a run, or take up the one with that id and input, until it pauses or ends."""
        return await self._runtime().run(self, input, run_id=run_id)

    async def resume(self, token: str, verdict: str, **fields: Unpack[DecisionFields]) -> Outcome:
        """Decide (`notes`, `data`, `decision_id`, `decided_by`) and drive the run on."""
        return await self._runtime().decide(token, verdict, **fields)

    def _runtime(self) -> Host:
        if self._host is None:
            self._host = local_host(self)
        return self._host

    def __repr__(self) -> str:
        return f"Recipe({self.name!r}, version={self.version!r})"


def recipe(name: str, *, version: str) -> Callable[[BodyFunction], Recipe]:
    """Make `async def body(run: Run, input) -> result` a recipe. Gives its handle."""

    def wrap(function: BodyFunction) -> Recipe:
        if not inspect.iscoroutinefunction(function):
            raise RecipeError(f"expected `async def` for recipe {name!r}, found {function!r}")
        signature = inspect.signature(function)
        parameters = list(signature.parameters)
        if len(parameters) != 2 or not _takes_two(signature):  # noqa: PLR2004 - run and input
            wanted = f"expected the parameters (run, input) for recipe {name!r}"
            raise RecipeError(f"{wanted}, found {signature}")
        handle = Recipe(name, version=version)
        handle.take_function(function, parameters[1])
        handle.__doc__ = function.__doc__
        return handle

    return wrap


def _takes_two(signature: inspect.Signature) -> bool:
    """By position, as a body is called."""
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True


def _names(after: After) -> tuple[str, ...]:
    return (after,) if isinstance(after, str) else names(after, "after")
