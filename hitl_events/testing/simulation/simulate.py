"""One seed, one world, one verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

from hitl_events.adapters.memory import Crashed
from hitl_events.domain.values import RunId, value
from hitl_events.testing.simulation.ending import bring_to_an_end, check_the_books
from hitl_events.testing.simulation.ledger import Violation
from hitl_events.testing.simulation.owner import Owner, done
from hitl_events.testing.simulation.world import RUNS_MAX, RECIPE, World

STEPS = 40
AGAIN = "python -m hitl_events.testing.simulation"


@value
class Report:
    """What came of one seed. `violation` is None where all promises were kept."""

    seed: int
    events: int
    violation: str | None
    history: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.violation is None:
            return f"seed {self.seed}: {self.events} events, all promises kept"
        told = "\n".join(f"  {line}" for line in self.history)
        return f"seed {self.seed}: {self.violation}\nagain: {AGAIN} {self.seed}\n{told}"


def simulate(
    seed: int,
    *,
    steps: int = STEPS,
    make_owner: Callable[..., Owner] = Owner,
    tell: bool = False,
) -> Report:
    """Play the world that `seed` makes for `steps` things that happen in it, then calm it and check.

    The same seed gives the same report. `make_owner` replaces the owner, to see a broken one caught;
    `tell` keeps the history of a world in which nothing went wrong, too.
    """
    world = World(seed, make_owner)
    problem: str | None = None
    try:
        _live(world, steps)
        bring_to_an_end(world)
        check_the_books(world)
    except Violation as violation:
        problem = str(violation)
    except Exception as error:  # noqa: BLE001 - whatever the engine raises is found by this seed
        problem = f"P10: expected nothing raised, found {type(error).__name__}: {error}"
    events = sum(len(ledger.values) for ledger in world.oracle.ledgers.values())
    history = tuple(_told(world)) if problem or tell else ()
    return Report(seed=seed, events=events, violation=problem, history=history)


def failures(seeds: Iterable[int], **options: Any) -> Iterator[Report]:
    """The reports of those seeds that broke a promise."""
    for seed in seeds:
        report = simulate(seed, **options)
        if report.violation is not None:
            yield report


def _live(world: World, steps: int) -> None:
    world.own()
    for _ in range(steps):
        drawn = world.random.random() * _TOTALS[-1]
        index = next(n for n, total in enumerate(_TOTALS) if drawn < total)
        _HAPPENINGS[index][1](world)


def _start(world: World) -> None:
    number = len(world.starts)
    if number >= RUNS_MAX:
        return
    world.send(world.clients.start(f"r{number + 1}", RECIPE))


def _start_again(world: World) -> None:
    if world.starts:
        world.send(world.clients.start_again(world.random.choice(world.starts)))


def _decide(world: World) -> None:
    found = world.some_pause()
    if found is not None:
        world.send(world.clients.decision(*found))


def _race(world: World) -> None:
    """Several good decisions on one gate at the same time."""
    found = world.some_pause()
    if found is not None:
        for _ in range(3):
            world.send(world.clients.good(*found))


def _strange(world: World) -> None:
    raw, sent = world.clients.strange()
    world.put(sent, raw)


def _cancel(world: World) -> None:
    if world.ledgers():
        world.send(world.clients.cancel(world.random.choice(world.ledgers()).run_id))


def _unblock(world: World) -> None:
    if world.ledgers():
        world.send(world.clients.unblock(world.random.choice(world.ledgers()).run_id))


def _turn(world: World) -> None:
    if world.owner is None:
        world.own()
    world.turn()


def _crash(world: World) -> None:
    world.crash()


def _crash_in_turn(world: World) -> None:
    if world.owner is not None:
        point = world.random.choice(("before_commit", "after_commit", "full"))
        if point == "full":
            world.owner.log.refuse_at()
        else:
            world.owner.log.crash_at(point)  # type: ignore[arg-type]  # one of its two points
        world.say("will die", point)
        world.turn()


def _zombie(world: World) -> None:
    world.zombie_appends()


def _deploy(world: World) -> None:
    """Other code comes with a new process."""
    world.crash()
    world.put_code(world.random.randrange(2))


def _short_lived(world: World) -> None:
    """A process of one command owns the log for a moment, and drives one run alone."""
    found = world.some_pause()
    if found is None:
        return
    world.crash()
    ledger, pause = found
    world.own({RunId(ledger.run_id)})
    owner = world.owner
    assert owner is not None
    world.call(world.clients.decision(ledger, pause))
    for _ in range(world.random.randint(1, 6)):
        world.turn()
        world.end_step()
    world.crash()


_HAPPENINGS: tuple[tuple[float, Callable[[World], None]], ...] = (
    (10, _turn),
    (3, _start),
    (1, _start_again),
    (8, _decide),
    (1, _race),
    (0.7, _strange),
    (0.8, _cancel),
    (0.7, _unblock),
    (7, World.end_step),
    (4, World.pass_time),
    (0.8, _crash),
    (1, _crash_in_turn),
    (0.4, _zombie),
    (0.25, _deploy),
    (0.6, _short_lived),
)
_TOTALS = tuple(accumulate(weight for weight, _ in _HAPPENINGS))


def _told(world: World) -> Iterator[str]:
    for what, about in world.history:
        if what != "log":
            yield f"{what} {about}".rstrip()
            continue
        for value_ in about:
            event = world.codec.decode(value_)
            yield f"  log: {_line(event)}"


def _line(event: Any) -> str:
    shown = {
        name: getattr(event, name)
        for name in _SHOWN
        if getattr(event, name, None) not in (None, "", b"")
    }
    told = " ".join(f"{name}={held}" for name, held in shown.items())
    return f"{event.run_id} {event.seq} {type(event).__name__} {event.recorded_at:%H:%M:%S.%f} {told}"


_SHOWN = (
    "step",
    "gate",
    "occurrence",
    "kind",
    "attempt",
    "verdict",
    "decision_id",
    "reason",
    "winner_decision_id",
    "expires_at",
    "retry_at",
    "code",
    "message",
    "result",
    "output",
)
__all__ = ["Crashed", "Report", "done", "failures", "simulate"]
