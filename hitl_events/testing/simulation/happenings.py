"""What happens in a world, and how often: one of these at a time, as the seed draws."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

from hitl_events.domain.refusals import REJECTED_PER_RUN_MAX
from hitl_events.domain.values import RunId
from hitl_events.testing.simulation.world import RECIPE, RUNS_MAX, World


def live(world: World, steps: int) -> None:
    """The first owner, then `steps` things that happen."""
    world.own()
    for _ in range(steps):
        drawn = world.random.random() * _TOTALS[-1]
        index = next(n for n, total in enumerate(_TOTALS) if drawn < total)
        _HAPPENINGS[index][1](world)


def _start(world: World) -> None:
    number = len(world.post.starts)
    if number >= RUNS_MAX:
        return
    run_id = f"r{number + 1}" if world.random.random() < 0.8 else None
    world.send(world.clients.start(run_id, RECIPE))


def _start_again(world: World) -> None:
    if world.post.starts:
        world.send(world.clients.start_again(world.random.choice(world.post.starts)))


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


def _flood(world: World) -> None:
    """More bad decisions than a run keeps as events."""
    found = world.some_pause()
    if found is not None:
        for _ in range(REJECTED_PER_RUN_MAX):
            world.send(world.clients.unknown_verdict(*found))


def _strange(world: World) -> None:
    raw, sent = world.clients.strange()
    world.post.put(sent, raw)


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
        world.history.say("will die", point)
        world.doomed = True
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
    (0.01, _flood),
    (0.7, _strange),
    (1.2, _cancel),
    (0.7, _unblock),
    (7, World.end_step),
    (2, World.end_outliving_step),
    (4, World.pass_time),
    (0.8, _crash),
    (0.4, World.close),
    (0.8, World.lose),
    (1, _crash_in_turn),
    (0.4, _zombie),
    (0.4, _deploy),
    (0.6, _short_lived),
)
_TOTALS = tuple(accumulate(weight for weight, _ in _HAPPENINGS))
