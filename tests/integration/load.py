"""What the fault loops put on the engines: runs, wave after wave, each approved at its pause."""

from __future__ import annotations

import threading
from collections import Counter

from tests.integration.engines import World, ended, token_of
from tests.kafka.records import Outgoing, Record
from tests.kafka.schemas import read_event

WAVE = 100
"""Runs that are published at a time: there are between one wave and two of them at work."""
FINISHED_S_MAX = 90.0
END_S_MAX = 120.0


class Load:
    """Starts runs and decides until it is told to rest or to end.

    Every decision is acknowledged before it counts.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._resting = threading.Event()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._denied: set[str] = set()
        self.decided: list[tuple[str, str]] = []
        self.started = 0
        self.finished: set[str] = set()
        self.failure: Exception | None = None
        self._thread.start()

    def _go(self) -> None:
        try:
            with self._world.client.reader(self._world.topic("events")) as reader:
                while not self._enough.is_set() or len(self.finished) < self.started:
                    if not self._resting.is_set() and self._at_work < WAVE:
                        self._wave()
                    seen = reader.poll()
                    self._decide([each for each in seen if token_of(each) is not None])
                    self.finished |= ended(seen)
        except Exception as error:  # noqa: BLE001 - told by `end`, in the thread of the test
            self.failure = error

    @property
    def _at_work(self) -> int:
        return self.started - len(self.finished)

    def _wave(self) -> None:
        numbers = range(self.started, self.started + WAVE)
        self.started += WAVE  # first: who waits for all waits for these too
        self._world.publish(*(self._world.starting(f"run-{number}") for number in numbers))

    def _decide(self, pauses: list[Record]) -> None:
        decisions: list[Outgoing] = []
        for record in pauses:
            _, pause = read_event(record.value or b"")
            run_id, token = pause["run_id"], token_of(record) or ""
            if pause["pause_kind"] == "reconcile":
                decisions.append(self._word(run_id, token, pause["seq"]))
            else:
                decisions.append(self._world.deciding(token, decision_id=f"of-{run_id}"))
                self.decided.append((run_id, f"of-{run_id}"))
        if decisions:
            self._world.publish(*decisions)

    def _word(self, run_id: str, token: str, seq: int) -> Outgoing:
        """A process died in the step: say whether it happened, as whoever looks outside can."""
        happened = self._world.effects()[f"{run_id}:publish:1"] > 0
        verdict = "happened" if happened else "did_not_happen"
        if not happened:
            self._denied.add(f"{run_id}:publish:1")
        return self._world.deciding(token, verdict, decision_id=f"word-{run_id}-{seq}")

    # told by the test

    def has_finished(self, runs: int, and_s: float = 0.0) -> None:
        """Wait until so many more runs are complete, and then so long."""
        wanted = len(self.finished) + runs
        pause = threading.Event()
        for _ in range(int(FINISHED_S_MAX / 0.05)):
            if self.failure is not None:
                raise self.failure
            if len(self.finished) >= wanted:
                pause.wait(and_s)
                return
            pause.wait(0.05)
        found = f"{len(self.finished)} of {wanted}, with {self._standing()}"
        raise AssertionError(f"expected the load to go on, found it standing at {found}")

    def _standing(self) -> str:
        """How many runs stand in which partition, after which event."""
        last: dict[str, str] = {}
        for record in self._world.client.read(self._world.topic("events")):
            name, event = read_event(record.value or b"")
            last[event["run_id"]] = f"{name} in partition {record.partition}"
        for run_id in self.finished:
            last.pop(run_id, None)
        return ", ".join(f"{count} at {what}" for what, count in Counter(last.values()).items())

    def rest(self) -> None:
        """Start no more for now; wait until all that was started is complete."""
        self._resting.set()
        while self._at_work:
            self.has_finished(self._at_work)

    def go_on(self) -> None:
        """After a rest."""
        self._resting.clear()

    def end(self) -> None:
        """Let all that was started finish."""
        self._enough.set()
        self._resting.set()
        self._thread.join(END_S_MAX)
        if self.failure is not None:
            raise self.failure
        assert not self._thread.is_alive(), f"{len(self.finished)} of {self.started} finished"

    def audited(self, *, frozen: bool = False) -> None:
        """End, and have the log audited: each acknowledged decision counts once, as each effect.

        Who was `frozen` in a step ends it when it wakes: then `did_not_happen` was said too early,
        which nobody could know, and of these steps alone the effect may be there twice.
        """
        self.end()
        auditor = self._world.audit()
        auditor.expect(self.decided)
        report = auditor.report()
        assert report.findings == (), str(report)
        assert len(self.decided) == self.started == len(self.finished)
        effects = self._world.effects()
        twice = {key for key, count in effects.items() if count > 1}
        assert twice <= (self._denied if frozen else set())
        assert len(effects) == self.started
        print(f"\n{len(self.decided)} decisions, {report.events} events, {dict(report.types)}")
