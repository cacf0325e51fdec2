"""A cluster in simulated time: partitions move, processes die, brokers fail; every run ends."""

import asyncio
from random import Random

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.memory import MemoryLog
from hitl_events.domain.token import TokenKeys
from hitl_events.engine.tools import Tools
from hitl_events.recipes.book import Book
from tests.simulation.cluster.load import Load
from tests.simulation.cluster.process import PARTITIONS, Process
from tests.simulation.cluster.trouble import Trouble
from tests.simulation.cluster.virtual_time import LoopClock, VirtualLoop, passes

RUNS = 12
HAPPENINGS = 12
NAMES = ("one", "two")
QUIET_S = 600.0
"""From the last start on: 120 s are the longest that anybody waits for anything here."""


class Unwatched:
    """Recipes that take their time are not this world's matter."""

    def begin(self) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class World:
    """`play` it; what is wrong then is in what it returns."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._clock = LoopClock()
        self._storage = MemoryLog(PARTITIONS, clock=self._clock)
        self._trouble = Trouble(self._random)
        keys = TokenKeys([b"k" * 32])
        self._load = Load(self._storage, keys, self._random)
        recipes = Book([self._load.recipe()])
        self._tools = Tools(codec=AvroCodec(), keys=keys, recipes=recipes, watch=Unwatched())
        self._processes: dict[str, Process] = {}
        self._owners = dict.fromkeys(range(PARTITIONS), "")

    async def play(self) -> list[str]:
        """What does not hold at the end."""
        for name in NAMES:
            self._start(name)
        await passes(0.1)
        for number in range(PARTITIONS):
            await self._give(number, self._random.choice(NAMES))
        answering = asyncio.create_task(self._load.answer())
        starting = asyncio.create_task(self._load.start_runs(RUNS))
        for _ in range(HAPPENINGS):
            await passes(self._random.uniform(0, 20))
            await self._happening()
        self._trouble.bad = 0.0
        await self._revive()
        await starting
        await self._quiet()
        answering.cancel()
        for process in self._processes.values():
            await process.end()
        return self._found()

    async def _quiet(self) -> None:
        """Until all runs have ended, or no more can be expected to."""
        end_s = self._clock.monotonic_s() + QUIET_S
        while self._load.open and self._clock.monotonic_s() < end_s:
            await passes(1)

    def _start(self, name: str) -> None:
        self._processes[name] = Process(
            self._storage, self._tools, self._clock, self._trouble, self._owns
        )

    def _owns(self, process: Process, number: int) -> bool:
        return self._processes.get(self._owners[number]) is process

    async def _happening(self) -> None:
        await self._revive()
        number, other = self._random.randrange(PARTITIONS), self._random.choice(NAMES)
        match self._random.choice(("moves", "dealt", "expires", "killed", "trouble", "calm")):
            case "moves":
                await self._take(number)
                await self._give(number, other)
            case "dealt":  # a group that deals out anew takes from all, also what they get again
                for _ in range(self._random.randrange(1, 5)):
                    await self._take(number)
                    await self._give(number, self._owners[number])
                    await passes(self._random.uniform(0, 3))
            case "expires":
                before = self._owners[number]
                if before != other:
                    await self._give(number, other)
                    await passes(self._random.uniform(0, 20))
                    await self._processes[before].cluster.revoked(frozenset({number}))
            case "killed":
                await self._processes[other].kill()
                await passes(self._random.uniform(0, 10))
            case "trouble":
                self._trouble.bad = self._random.uniform(0, 0.9)
            case _:
                self._trouble.bad = 0.0

    async def _revive(self) -> None:
        """Who has died is started anew; what it had goes to anybody."""
        for name, process in list(self._processes.items()):
            if process.ended:
                self._start(name)
                await passes(0.1)
                for number in [n for n, owner in self._owners.items() if owner == name]:
                    await self._give(number, self._random.choice(NAMES))

    async def _take(self, number: int) -> None:
        await self._processes[self._owners[number]].cluster.revoked(frozenset({number}))

    async def _give(self, number: int, name: str) -> None:
        self._owners[number] = name
        await self._processes[name].cluster.assigned(frozenset({number}))

    def _found(self) -> list[str]:
        effects = self._load.effects
        doubled = [key for key, count in effects.items() if count > 1]
        finished = sorted(self._load.finished)
        lost = [run_id for run_id in finished if not effects[f"{run_id}:publish:1"]]
        every = {"open": self._load.open, "doubled": doubled, "lost": lost}
        return [f"{what}: {which}" for what, which in every.items() if which]


def play(seed: int) -> list[str]:
    """One world; what does not hold in it, and what nobody has handled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_played(seed))


async def _played(seed: int) -> list[str]:
    unhandled: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unhandled.append(str(context)))
    return await World(seed).play() + unhandled
