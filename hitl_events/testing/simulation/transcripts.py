"""What recipe bodies saw: each replay of a run by the same code must see the same, or less of it."""

from __future__ import annotations

from collections.abc import Callable

from hitl_events.testing.scripts import Listen
from hitl_events.testing.simulation.ledger import demand


class Transcripts:
    """One list per body that was begun, by run and code."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, int], list[list[str]]] = {}

    def of(self, code: int) -> Listen:
        """The listener of one version of the code."""

        def listen(run_id: str) -> Callable[[str], None]:
            heard: list[str] = []
            self._heard.setdefault((run_id, code), []).append(heard)
            return heard.append

        return listen

    def check(self) -> None:
        """`Violation` where two bodies of one run and code saw different things."""
        for (run_id, _), heard in self._heard.items():
            longest = max(heard, key=len)
            for each in heard:
                same = longest[: len(each)] == each
                demand("P7", same, f"one story of {run_id}, found {each} beside {longest}")
