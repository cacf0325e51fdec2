"""What recipe bodies saw: each replay by the same code must see the same, or less of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hitl_events.testing.scripts import Listen
from hitl_events.testing.simulation.ledger import demand


@dataclass(slots=True)
class _Heard:
    """What one body saw, of which the first `durable` lines came from durable events."""

    lines: list[str] = field(default_factory=list[str])
    durable: int = 0


class Transcripts:
    """One story per body that was begun, by run and code."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, int], list[_Heard]] = {}
        self._live: list[_Heard] = []

    def of(self, code: int) -> Listen:
        """The listener of one version of the code."""

        def listen(run_id: str) -> Callable[[str], None]:
            heard = _Heard()
            self._bodies.setdefault((run_id, code), []).append(heard)
            self._live.append(heard)
            return heard.lines.append

        return listen

    def commit(self) -> None:
        """All that was seen so far is durable."""
        for heard in self._live:
            heard.durable = len(heard.lines)

    def forget(self) -> None:
        """An owner died: what its bodies saw since the last commit may never have been."""
        self._live.clear()

    def check(self) -> None:
        """`Violation` where two bodies of one run and code saw different things."""
        for (run_id, _), bodies in self._bodies.items():
            stories = [heard.lines[: heard.durable] for heard in bodies]
            longest = max(stories, key=len)
            for story in stories:
                same = longest[: len(story)] == story
                demand("P7", same, "one story of a run", run_id, story, longest)
