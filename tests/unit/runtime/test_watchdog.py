import threading

import pytest

from hitl_events.errors import RecipeSpins
from hitl_events.runtime.watchdog import Watchdog


class Looking(Watchdog):
    """A watchdog whose ticks the test makes itself."""

    def _start(self) -> None:
        """No thread."""
        self.stopped: list[int] = []

    def _stop(self, turn: int) -> None:
        self.stopped.append(turn)

    def tick(self) -> None:
        self._look()


def test_an_advance_has_its_ticks() -> None:
    """A recipe is stopped only after the whole of its time was seen passing, tick by tick."""
    watch = Looking(limit_s=5)
    watch.begin()

    for _ in range(20):
        watch.tick()
    assert watch.stopped == []
    watch.tick()

    assert watch.stopped == [1]


def test_each_advance_begins_anew() -> None:
    """Ticks of an advance that is over do not count for the next."""
    watch = Looking(limit_s=0.5)
    for _ in range(5):
        watch.begin()
        watch.tick()
        watch.tick()
        watch.end()
        watch.tick()

    assert watch.stopped == []


def test_a_stop_that_comes_too_late_is_called_off() -> None:
    """An exception that was sent and has not arrived when the advance ends never arrives."""
    watch = Watchdog()
    watch.begin()
    watch._aiming = watch._fired = True
    watch.end()

    for _ in range(1000):
        pass
    watch.close()
    assert not watch._fired


def test_an_aim_that_comes_too_late_hits_nobody() -> None:
    """A watcher that looks once the advance is over sends nothing, and the next one is unharmed."""
    watch = Watchdog()
    watch.begin()
    watch.end()
    watch._stop(watch._turn)
    watch.begin()
    watch.end()

    assert (watch._aiming, watch._fired) == (False, False)
    watch.close()


def test_it_stops_what_spins() -> None:
    """The exception is raised in the thread that began, inside of what spins."""
    watch = Watchdog(limit_s=0.01)
    watch.begin()

    with pytest.raises(RecipeSpins):
        while True:
            pass
    watch.end()
    watch.close()


def test_closing_twice_is_fine() -> None:
    """A watchdog that never began, and one that is closed twice, are closed."""
    watch = Watchdog()
    watch.close()
    watch.begin()
    watch.end()
    watch.close()
    watch.close()


def test_a_system_without_threads_fails_no_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is driven unwatched, and watched again as soon as a thread can be had."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    watch = Watchdog()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        watch.begin()
        watch.end()
    watch.begin()
    watch.end()

    assert watch._thread in threading.enumerate()
    watch.close()
