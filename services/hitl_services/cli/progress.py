"""Progress on stderr, where somebody looks: a spinner while steps run, a bar with its rate else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hitl_services.cli.text import harmless

if TYPE_CHECKING:
    from rich.status import Status

    from hitl_events.engine.turn import Turn
    from hitl_services.cli.screen import Screen

_PATIENCE_S = 0.4
"""Most commands are done by then, and a line that flashes is a nuisance."""


def _nothing(_: int) -> None:
    """Nobody looks."""


@contextmanager
def progress(screen: Screen, what: str, total: int | None) -> Generator[Callable[[int], None]]:
    """Gives a function that is told how many are done since it was last called."""
    if not screen.watched:
        yield _nothing
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task as Bar,
        TextColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many a second."""

        def render(self, task: Bar) -> Text:
            return Text(f"{task.speed or 0:,.0f}/s")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(what, total=total)
        yield lambda done: bars.advance(bar, done)


class Spinner:
    """Says which step runs, if it takes longer than a moment. It is an observer of the runtime."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._what = "waiting"
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
