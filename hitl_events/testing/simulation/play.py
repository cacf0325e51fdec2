"""One seed, one world, one verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from hitl_events.domain.values import value
from hitl_events.testing.simulation.ending import bring_to_an_end, check_the_books
from hitl_events.testing.simulation.happenings import live
from hitl_events.testing.simulation.ledger import Violation
from hitl_events.testing.simulation.owner import Owner
from hitl_events.testing.simulation.world import World

STEPS = 40
MakeOwner: TypeAlias = Callable[..., Owner]
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
    make_owner: MakeOwner = Owner,
    tell: bool = False,
) -> Report:
    """Play the world of a seed until `steps` things have happened in it, then calm it and check.

    The same seed gives the same report. `make_owner` replaces the owner, to see a broken one
    caught; `tell` keeps the history of a world in which nothing went wrong, too.
    """
    world = World(seed, make_owner)
    problem: str | None = None
    try:
        live(world, steps)
        bring_to_an_end(world)
        check_the_books(world)
    except Violation as violation:
        problem = str(violation)
    except Exception as error:  # noqa: BLE001 - whatever the engine raises is found by this seed
        problem = f"P10: expected nothing raised, found {type(error).__name__}: {error}"
    events = sum(len(ledger.values) for ledger in world.oracle.ledgers.values())
    history = tuple(world.history.lines(world.codec)) if problem or tell else ()
    return Report(seed=seed, events=events, violation=problem, history=history)


def failures(seeds: Iterable[int], make_owner: MakeOwner = Owner) -> Iterator[Report]:
    """The reports of those seeds that broke a promise."""
    for seed in seeds:
        report = simulate(seed, make_owner=make_owner)
        if report.violation is not None:
            yield report
