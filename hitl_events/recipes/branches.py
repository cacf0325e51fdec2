"""The coroutines of one recipe: which wait for what, and which can go on. Knows no events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from functools import partial
from heapq import heappop, heappush
from sys import get_asyncgen_hooks, set_asyncgen_hooks
from types import CoroutineType
from typing import Any, Protocol, TypeAlias, cast

from hitl_events.domain.requests import EVENTS_PER_RUN_MAX
from hitl_events.errors import ForeignTask, RecipeError, RecipeSpins, RecipeStopped
from hitl_events.ports import Watch
from hitl_events.recipes.calls import AllCall, Call, GateCall, Signal, StepCall

Body: TypeAlias = Coroutine[Any, Any, Any]
WaitKey: TypeAlias = tuple[str, str, int]
Asked: TypeAlias = StepCall[Any] | GateCall[Any]
_CLOSES_MAX = 100
"""Awaits in the `finally` blocks of one branch; one that goes on beyond is left to Python."""
_ASKED: tuple[type[Any], ...] = (StepCall, GateCall)


class Branch:
    """One coroutine. Its position among its siblings orders all that can go on at the same time.

    Its context variables are its own, as a task's are: what one run sets no other may see.
    """

    __slots__ = ("body", "closed", "context", "group", "position")

    def __init__(self, body: Body, position: tuple[int, ...], group: Group | None) -> None:
        self.body = body
        self.position = position
        self.group = group
        self.context: Context = copy_context() if group is None else group.owner.context.copy()
        self.closed = False

    def close(self, watch: Watch) -> None:
        """End the coroutine; what its `finally` asks for is ignored."""
        self.closed = True
        watch.begin()
        try:
            for _ in range(_CLOSES_MAX):  # each ends what it awaits; a `finally` may await more
                if _is_over(partial(self.context.run, self.body.close)):
                    return
        finally:
            _leave(watch)


class Group:
    """The branches of one `run.all`."""

    __slots__ = ("branches", "failure", "open", "owner", "results")

    def __init__(self, owner: Branch, count: int) -> None:
        self.owner = owner
        self.branches: list[Branch] = []
        self.results: list[Any] = [None] * count
        self.open = count
        self.failure: Exception | None = None


class Owner(Protocol):
    """Who is told that a root branch is over."""

    def ended(self, result: Any, error: Exception | None) -> None:
        """Its result, or the error that it raised."""


class Branches:
    """Runs every branch as far as it can, in position order, after each result that goes in."""

    __slots__ = (
        "_ready",
        "_requests",
        "_signals",
        "_watch",
        "forgotten",
        "fresh",
        "owner",
        "waits",
        "withdrawn",
    )

    def __init__(self, watch: Watch, owner: Owner) -> None:
        self.waits: dict[WaitKey, tuple[Asked, Branch]] = {}
        self.fresh: list[WaitKey] = []
        self.forgotten: list[WaitKey] = []
        self.withdrawn: list[WaitKey] | None = None
        self._signals: dict[Signal, list[Branch]] = {}
        self._ready: list[tuple[tuple[int, ...], int, Branch, Any, Exception | None]] = []
        self.owner: Owner | None = owner
        self._watch = watch
        self._requests = 0

    def start(self, body: Body) -> None:
        """Begin a root branch; the owner gets its result or its error."""
        self._go_on(Branch(body, (), None))

    def settle(self, key: WaitKey, result: Any, error: Exception | None) -> None:
        """A result for the branch that waits for `key`."""
        _, branch = self.waits.pop(key)
        if not branch.closed:
            self._go_on(branch, result, error)

    def drop(self, key: WaitKey) -> None:
        """A wait that ends without a result (a withdrawn gate)."""
        _, branch = self.waits.pop(key)
        if not branch.closed:
            branch.close(self._watch)
            self._child_over(branch)
            self._go_on()

    def close(self) -> None:
        """End all branches. Waits for steps stay known: their results may still come in."""
        for key, (call, branch) in list(self.waits.items()):
            self._close_up(branch)
            if isinstance(call, GateCall):
                del self.waits[key]
        for waiting in self._signals.values():
            for branch in waiting:
                self._close_up(branch)
        for _, _, branch, _, _ in self._ready:
            self._close_up(branch)
        self._signals.clear()
        self._ready.clear()

    def _close_up(self, branch: Branch) -> None:
        while not branch.closed:
            branch.close(self._watch)
            if branch.group is None:
                return
            branch = branch.group.owner

    def _push(self, branch: Branch, result: Any, error: Exception | None) -> None:
        heappush(self._ready, (branch.position, id(branch), branch, result, error))

    def _go_on(
        self, first: Branch | None = None, result: Any = None, error: Exception | None = None
    ) -> None:
        """Run all that can go on. `first`: nothing else is ready between two results.

        An event loop around us hears nothing of the async generators that begin here: it would end
        those that are left in a task of its own, later, and knows nothing of what they await.
        """
        hooks = get_asyncgen_hooks()
        set_asyncgen_hooks(None, _end)
        try:
            if first is not None:
                self._advance(first, result, error)
            while self._ready:
                _, _, branch, result, error = heappop(self._ready)
                if not branch.closed:
                    self._advance(branch, result, error)
        finally:
            set_asyncgen_hooks(*hooks)

    def _advance(self, branch: Branch, result: Any, error: Exception | None) -> None:
        """Run one branch until it waits or ends."""
        if branch.group is not None and _is_doomed(branch):
            # a sibling failed: what had started has come in, nothing new begins
            branch.close(self._watch)
            self._child_over(branch)
            return
        while True:
            self._requests += 1
            if self._requests > EVENTS_PER_RUN_MAX:
                branch.close(self._watch)
                message = f"expected at most {EVENTS_PER_RUN_MAX} awaits in one run, found more"
                raise RecipeStopped("recipe.stuck", message)
            try:
                asked = self._send(branch, result, error)
            except StopIteration as stop:
                self._check_awaited(branch)
                self._ended(branch, stop.value, None)
                return
            except RecipeSpins:
                _leave(self._watch)  # it may have struck in `end` itself
                message = "expected the recipe to await within seconds, found it computing on"
                raise RecipeStopped("recipe.stuck", message) from None
            except KeyboardInterrupt:
                raise
            except BaseException as raised:  # noqa: BLE001 - whatever the user's recipe raises
                _check_tasks(raised)
                self._ended(branch, None, _as_error(raised))
                return
            self._check_awaited(branch)
            result, error = None, None
            if isinstance(asked, _ASKED):
                error = self._wait(branch, asked)
                if error is None:
                    return
            elif isinstance(asked, AllCall):
                if asked.items:
                    self._split(branch, asked)  # pyright: ignore[reportUnknownArgumentType]  # what it gives is for the recipe
                    return
                result = ()
            elif isinstance(asked, Signal):
                if not asked.is_set:
                    self._signals.setdefault(asked, []).append(branch)
                    return
            else:
                branch.close(self._watch)
                found = f"{type(asked).__module__}.{type(asked).__qualname__}"
                raise _foreign(found)

    def _send(self, branch: Branch, result: Any, error: Exception | None) -> Any:
        self.forgotten.clear()  # of a branch that was ended from outside
        self._watch.begin()
        try:
            if error is not None:  # not its truth: an exception may have a length
                return branch.context.run(branch.body.throw, error)
            return branch.context.run(branch.body.send, result)
        finally:
            self._watch.end()

    def _wait(self, branch: Branch, call: Asked) -> Exception | None:
        if call.is_awaited:
            return RecipeError(
                f"expected each step and gate to be awaited once, found {call.key} twice"
            )
        call.is_awaited = True
        self.waits[call.key] = (call, branch)
        self.fresh.append(call.key)
        return None

    def _split(self, owner: Branch, call: AllCall[Any]) -> None:
        group = Group(owner, len(call.items))
        for index, item in enumerate(call.items):
            if isinstance(item, Call):
                item.forgotten = None
            body: Body = _await(item) if isinstance(item, Call) else _as_body(item)
            child = Branch(body, (*owner.position, index), group)
            group.branches.append(child)
            self._push(child, None, None)

    def _check_awaited(self, branch: Branch) -> None:
        """What follows a gate whose `await` was forgotten must not be done."""
        if not self.forgotten:
            return
        kind, name, _ = self.forgotten[0]
        branch.close(self._watch)
        found = f"run.{kind}({name!r})" if name else f"run.{kind}(...)"
        message = f"expected every step and gate to be awaited, found {found} that was not"
        raise RecipeStopped("recipe.not_awaited", f"{message}: write `await` before it")

    def set(self, signal: Signal) -> None:
        """Let the branches that wait for a signal go on, in position order."""
        signal.is_set = True
        for branch in self._signals.pop(signal, ()):
            self._push(branch, None, None)

    def _ended(self, branch: Branch, result: Any, error: Exception | None) -> None:
        branch.closed = True
        group = branch.group
        if group is None:
            if self.owner is not None:
                self.owner.ended(result, error)
            return
        group.results[branch.position[-1]] = result
        if error is not None and group.failure is None:
            group.failure = error
            self._withdraw(group)
        self._child_over(branch)

    def _child_over(self, branch: Branch) -> None:
        group = branch.group
        if group is None:
            return
        group.open -= 1
        if group.open == 0:
            self._push(group.owner, tuple(group.results), group.failure)

    def _withdraw(self, group: Group) -> None:
        """The gates of the siblings of a failed branch are to close; those below them too."""
        withdrawn = self.withdrawn = self.withdrawn or []
        for key, (call, branch) in self.waits.items():
            if isinstance(call, GateCall) and _is_below(branch, group):
                withdrawn.append(key)
        for signal, waiting in self._signals.items():
            below = [branch for branch in waiting if _is_below(branch, group)]
            self._signals[signal] = [branch for branch in waiting if branch not in below]
            for branch in below:
                branch.close(self._watch)
                self._child_over(branch)


def _foreign(found: str) -> RecipeStopped:
    message = (
        f"expected the recipe to await run.step, run.gate or run.all, found {found}: "
        "I/O belongs in a step"
    )
    return RecipeStopped("recipe.foreign_await", message)


def _check_tasks(raised: BaseException) -> None:
    """`RecipeStopped` for a recipe that wanted a task; a `TaskGroup` says so in a group."""
    if isinstance(raised, ForeignTask):
        raise _foreign(raised.found) from None
    if isinstance(raised, BaseExceptionGroup):
        inside: tuple[BaseException, ...] = cast("Any", raised).exceptions
        for each in inside:
            _check_tasks(each)


def _leave(watch: Watch) -> None:
    try:
        watch.end()
    except RecipeSpins:  # it struck on the way out, once; the next would come a tick later
        watch.end()


def _end(generator: AsyncGenerator[Any, Any]) -> None:
    """An async generator that nobody holds any more; what its `finally` asks for is ignored."""
    _is_over(partial(generator.aclose().__await__().send, None))


def _is_over(end: Callable[[], object]) -> bool:
    """End a body of the user's; False if it awaits more."""
    try:
        end()
    except KeyboardInterrupt:
        raise
    except RuntimeError:  # as Python says that it awaits more
        return False
    except BaseException:  # noqa: BLE001, S110 - it is over, whatever its `finally` raises
        pass
    return True


def _is_doomed(branch: Branch) -> bool:
    """True if a branch beside it, or beside one above it, has failed."""
    group = branch.group
    while group is not None:
        if group.failure is not None:
            return True
        group = group.owner.group
    return False


def _is_below(branch: Branch, group: Group) -> bool:
    above = branch
    while above.group is not None:
        if above.group is group:
            return True
        above = above.group.owner
    return False


def _as_error(raised: BaseException) -> Exception:
    """`SystemExit` or a cancellation out of a recipe ends its run, not the process."""
    if isinstance(raised, Exception):
        return raised
    found = type(raised).__name__
    return RecipeError(f"expected the recipe to return or to raise an Exception, found {found}")


async def _await(item: Awaitable[Any]) -> Any:
    return await item


def _as_body(item: Awaitable[Any]) -> Body:
    """A branch as a coroutine: an `async def` call is one, any other awaitable is wrapped."""
    begun: Any = item
    return begun if isinstance(item, CoroutineType) else _await(item)
