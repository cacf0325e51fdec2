"""Progress on stderr, where somebody looks: a spinner while steps run, a bar with its rate else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hitl_events.adapters.system import SystemClock
from hitl_services.text import harmless

if TYPE_CHECKING:
    from rich.status import Status

    from hitl_events.engine.turn import Turn
    from hitl_services.cli.screen import Screen

_PATIENCE_S = 0.4
"""Most commands are done by then, and a line that flashes is a nuisance."""


@contextmanager
def progress(screen: Screen, what: str, total: int | None) -> Generator[Callable[[int], None]]:
    """Gives a function that is told how many more are done."""
    bar = _Bar(what, total) if screen.watched else None
    try:
        yield _nothing if bar is None else bar.told
    finally:
        if bar is not None:
            bar.stop()


def _nothing(_: int) -> None:
    """Nobody looks."""


class _Bar:
    """A bar that appears once the work has taken longer than a moment."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._clock = SystemClock()
        self._begun_s = self._clock.monotonic_s()
        self._show: Callable[[int], None] | None = None
        self._hide: Callable[[], None] | None = None

    def told(self, more: int) -> None:
        """So many more are done."""
        self._done += more
        if self._show is not None:
            self._show(self._done)
        elif self._clock.monotonic_s() - self._begun_s > _PATIENCE_S:
            self._begin()

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}/s", markup=False),
        )
        bars = Progress(*columns, console=Console(stderr=True), transient=True)
        task = bars.add_task(self._what, total=self._total, rate="")
        bars.start()
        self._hide = bars.stop
        self._show = lambda done: bars.update(task, completed=done, rate=self._rate())

    def _rate(self) -> str:
        took_s = self._clock.monotonic_s() - self._begun_s
        return f"{self._done / max(took_s, _PATIENCE_S):,.0f}"

    def stop(self) -> None:
        """Take it off the screen."""
        if self._hide is not None:
            self._hide()


class Spinner:
    """Says which step runs, if it takes longer than a moment. It is an observer of the runtime."""

    def __init__(
        self,
        screen: Screen,
        what: str = "waiting for steps, or for another process that has the log",
    ) -> None:
        self._screen = screen
        self._what = what
        self._status: Status | None = None

    @contextmanager
    def turning(self) -> Generator[None]:
        """Turn until the end of the block; inside a running loop."""
        if not self._screen.watched:
            yield
            return
        later = asyncio.get_running_loop().call_later(_PATIENCE_S, self._begin)
        try:
            yield
        finally:
            later.cancel()
            if self._status is not None:
                self._status.stop()

    def _begin(self) -> None:
        from rich.console import Console
        from rich.text import Text

        self._status = Console(stderr=True).status(Text(self._what))
        self._status.start()

    def committed(self, turn: Turn, commit_s: float) -> None:
        """Steps that begin now are named."""
        if not turn.starts:
            return
        names = dict.fromkeys(start.request.key[1] for start in turn.starts)
        self._what = f"running {', '.join(map(harmless, names))}"
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(self._what))

    def fault(self, run_id: str | None, error: Exception) -> None:
        """The answer tells it."""
