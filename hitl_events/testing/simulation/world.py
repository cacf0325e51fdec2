"""A small world that a seed makes: recipes, clients, steps, owners that die, time that passes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.calls import Caller
from hitl_events.adapters.inbound.write import report_json
from hitl_events.adapters.memory import Crashed, MemoryLog
from hitl_events.audit.chain import ChainCheck
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.engine.inputs import StepReport, StepStart, Submission, Wake
from hitl_events.engine.tools import Tools
from hitl_events.engine.turn import Turn
from hitl_events.errors import Fenced, LogUnavailable
from hitl_events.ports import Answer, InboundRecord, RunPosition
from hitl_events.testing.clock import ManualClock
from hitl_events.testing.ids import CountedIds
from hitl_events.testing.plots import changed, random_plot
from hitl_events.testing.scripts import Played, Plot, PlotBook, handle_of, steps_of
from hitl_events.testing.simulation.clients import Clients
from hitl_events.testing.simulation.history import History
from hitl_events.testing.simulation.ledger import Ledger, Pause, demand
from hitl_events.testing.simulation.oracle import Oracle
from hitl_events.testing.simulation.owner import Owner, done, pieces, read
from hitl_events.testing.simulation.post import Post
from hitl_events.testing.simulation.sent import Sent
from hitl_events.testing.simulation.steps import ended
from hitl_events.testing.simulation.transcripts import Transcripts
from hitl_events.testing.stage import StillWatch

RECIPE, VERSION = "played", "1"
RUNS_MAX = 3
_LETTERS_MAX = 10_000
_KEY = b"the token key of simulated worlds"


class World:
    """Everything outside of the engine."""

    def __init__(self, seed: int, make_owner: Callable[..., Owner] = Owner) -> None:
        self.random = random = Random(seed)
        self.clock = ManualClock(tick=random.choice((0.0, 0.0, 0.001)))
        self.keys = TokenKeys([_KEY])
        self.eye = MemoryLog(clock=self.clock)
        self.codec = AvroCodec()
        self.oracle = Oracle(self.codec)
        self.clients = Clients(random, self.keys, self.clock)
        self.history = History()
        self.post = Post(self.eye, self._caller(), self.oracle, self.history)
        self.transcripts = Transcripts()
        self.book = PlotBook()
        self.codes = self._codes()
        self._used: set[int] = set()
        self.put_code(0)
        self.calm = False
        self.doomed = False
        self.owner: Owner | None = None
        self.outliving: list[StepStart] = []
        """Steps of owners that live on and do not own the partition any more."""
        self._make_owner = make_owner
        self._read_events = 0
        self._read_letters = 0
        self._nonce = 0
        self._cached_runs_max = random.choice((1, 1, 2, 512))
        self._batch_inputs_max = random.choice((1, 3, 512))

    def _caller(self) -> Caller:
        ids = CountedIds(lambda: self.random.randbytes(16), "dec:own")
        return Caller(self.keys, ids, self.clock, "runtime")

    # recipes

    def _codes(self) -> tuple[Played, ...]:
        """The recipe, and what somebody will make of it."""
        plot = random_plot(self.random)
        plots = (plot, changed(self.random, plot))
        wanted = [_undoable(plot) for plot in plots]
        both = wanted[0] & wanted[1]
        self.oracle.undone_on_cancel = lambda _: both
        self.history.say("recipe", plots[0])
        self.history.say("changed recipe", plots[1])
        return tuple(
            Played(handle_of(RECIPE, VERSION, plot, self.transcripts.of(index)), plot)
            for index, plot in enumerate(plots)
        )

    def put_code(self, index: int) -> None:
        """Deploy the recipe as it was first (0), or as it was changed (1)."""
        self.history.say("deploys code", index)
        self.outliving = []  # they ran in processes with the code before, which are replaced
        self._used.add(index)
        self.oracle.code_was_changed = self.codes_used > 1
        self.code = self.codes[index]
        self.book.put(self.code)

    @property
    def codes_used(self) -> int:
        """How many versions of the code may have written in this log."""
        return len(self._used)

    # owners

    def tools(self, only: set[RunId] | None = None) -> Tools:
        """What an engine of this world gets."""
        return Tools(
            codec=self.codec, keys=self.keys, recipes=self.book, watch=StillWatch(), only=only
        )

    def own(self, only: set[RunId] | None = None) -> Owner:
        """A new process takes the partition over."""
        log = self.eye.reopen()
        demand("P9", log.try_own(), "a partition that can be owned")
        owner = self._make_owner(
            log,
            self.tools(only),
            self.clock,
            self,
            cached_runs_max=self._cached_runs_max,
            batch_inputs_max=self._batch_inputs_max,
        )
        self.owner, self.doomed = owner, False
        if only is None and self.random.random() < 0.5:
            self._join(owner)
        owner.restore()
        self.history.say("owner takes over", "of all runs" if only is None else sorted(only))
        return owner

    def _join(self, owner: Owner) -> None:
        """It is the process in which they began."""
        for start in self.outliving:
            owner.engine.adopt(start.run_id, start.request.key, start.attempt)
            owner.steps.append(start)
        self.history.say("joins steps:", len(self.outliving))
        self.outliving = []

    def crash(self) -> None:
        """The owner's process dies; so do its steps, calls and answers."""
        if self.owner is not None:
            self.history.say("crash with steps:", len(self.owner.steps))
            self.owner.log.close()
        self.transcripts.forget()
        self.owner = None
        self.verify()

    def lose(self) -> None:
        """The partition goes to another process; the steps of this one run on."""
        if self.owner is not None:
            self.outliving += self.owner.steps
        self.crash()

    def turn(self) -> bool:
        """One turn of the owner, which may be its last; True if there was anything to do."""
        return self.owner is not None and self._may_die(self.owner.turn)

    def close(self) -> None:
        """The owner's process is stopped in an orderly way; it may die of it all the same."""
        for _ in range(self.random.randint(1, 5)):
            if self.owner is not None:
                self._may_die(self.owner.drain)
                self.end_step()
        if self.owner is not None:
            self._may_die(self.owner.drain)
        self.lose()

    def _may_die(self, act: Callable[[], bool]) -> bool:
        try:
            return act()
        except Crashed:
            self.history.say("crashed in the turn")
        except LogUnavailable:
            self.history.say("the log could not be written")
        self._see()
        self.crash()
        return True

    def zombie_appends(self) -> None:
        """A successor takes over while the owner does not know: the owner can append nothing."""
        zombie = self.owner
        if zombie is None:
            return
        self.eye.usurp()
        self.transcripts.forget()
        self.own()
        end = done(self.eye.end())
        wrote = False
        try:
            wrote = zombie.turn()
        except (Fenced, Crashed) as ended:
            self.history.say("a stale owner ended:", type(ended).__name__)
        demand("P9", done(self.eye.end()) == end, "no event of a stale owner")
        self.outliving += zombie.steps
        zombie.steps.clear()
        self.transcripts.forget()
        self.history.say("a stale owner tried", wrote)

    # Surroundings

    def read(self, record: InboundRecord) -> Submission:
        """A record of the intake as the engine takes it."""
        return self.post.read(record)

    def intake_was_read(self) -> None:
        """Now and then somebody decides, just in time, and time passes before the turn begins."""
        if self.calm or self.random.random() > 0.2:
            return
        now = self.clock.now()
        ends = [
            (each.event.expires_at, ledger, each)
            for ledger in self.ledgers()
            for each in ledger.open_pauses()
            if each.event.expires_at is not None and each.event.expires_at > now
        ]
        if not ends:
            self.clock.advance(self.random.choice((0.001, 0.5, 3.0)))
            return
        end, ledger, pause = self.random.choice(ends)
        self.post.put(self.clients.good(ledger, pause))
        self.clock.advance(max(end - self.clock.now(), timedelta(0)) + timedelta(milliseconds=2))

    def committed(self, owner: Owner, turn: Turn) -> None:
        """The checker reads what was written; the process may die before anything else is done."""
        self._see()
        self.transcripts.commit()
        if turn.faults:
            raise turn.faults[0][1]
        if not self.calm and turn.starts and self.random.random() < 0.05:
            self.history.say("crash between commit and steps")
            raise Crashed

    def begin(self, owner: Owner, start: StepStart) -> None:
        """A step's body begins."""
        self.history.say("begins", start.run_id, start.request.key, start.attempt)
        self.oracle.begin(start, once=start.request.once)

    def rests(self, owner: Owner, run_id: RunId) -> None:
        """A run that is said to rest has nothing under way."""
        ledger = self.oracle.ledgers[run_id]
        busy = [
            each.request.key
            for each in owner.steps
            if each.run_id == run_id and ledger.step(each.request.key).waits_for(each.attempt)
        ]
        stands_still = ledger.stands_still
        demand("P1", stands_still or not busy, "a resting run without steps", run_id, busy)

    def answered(self, ticket: int, answer: Answer) -> None:
        """An own call has its answer."""
        self.post.answered(ticket, answer)

    def _see(self) -> None:
        values = read(self.eye, self._read_events)
        self._read_events += len(values)
        self.history.wrote(values)
        self.oracle.follow(values)
        letters = done(self.eye.list(_LETTERS_MAX))[: -self._read_letters or None]
        self._read_letters += len(letters)
        self.oracle.letters(letter for _, letter in letters)

    # submitting

    def send(self, sent: Sent) -> None:
        """By an own call where there is an owner, or through the intake."""
        if self.owner is not None and self.random.random() < 0.5:
            self.call(sent)
        else:
            self.post.put(sent)

    def call(self, sent: Sent) -> None:
        """An own call of the owner; it is lost if that dies before it is recorded."""
        assert self.owner is not None
        self.owner.queue.append(self.post.call(sent))

    def some_pause(self) -> tuple[Ledger, Pause] | None:
        """A gate that was ever opened; mostly one that still is."""
        found = [(each, pause) for each in self.ledgers() for pause in each.pauses.values()]
        still = [(each, pause) for each, pause in found if pause in each.open_pauses()]
        if still and self.random.random() < 0.7:
            found = still
        return self.random.choice(found) if found else None

    def ledgers(self) -> list[Ledger]:
        """The runs that are durable."""
        return list(self.oracle.ledgers.values())

    def positions(self) -> list[RunPosition]:
        """What the log keeps of each run by its key."""
        return [position for piece in pieces(self.eye.positions()) for position in piece]

    def verify(self) -> None:
        """Whoever looks at the log now finds nothing wrong with it, whatever is under way."""
        check = ChainCheck(self.codec)
        check.add_all(read(self.eye, 0))
        check.finish(self.positions(), now=self.clock.now())
        report = check.report()
        demand("P12", report.ok, "a log that verifies", *report.errors)

    # steps

    def end_step(self) -> None:
        """One step under way ends, in one way or another; its report may come twice."""
        owner = self.owner
        if owner is None or not owner.steps:
            return
        report = self._ended(owner.steps)
        start_run = report.run_id
        owner.report(report)
        if self.random.random() < 0.1:
            owner.report(report)
        if self.random.random() < 0.1:
            owner.queue.append(Wake(run_id=start_run))

    def end_outliving_step(self) -> None:
        """A step of an owner before ends: whoever owns the partition hears of it, maybe twice."""
        if not self.outliving:
            return
        report = self._ended(self.outliving)
        if report.uncertain:
            return
        for _ in range(self.random.choice((1, 1, 2))):
            self.post.report(report_json(report))

    def _ended(self, steps: list[StepStart]) -> StepReport:
        start = steps.pop(self.random.randrange(len(steps)))
        self._nonce += 1
        well = self.calm and self.random.random() < 0.8
        report = ended(self.random, start, f"out:{self._nonce}", well=well)
        if report.output is not None:
            key = (start.run_id, start.request.key)
            self.oracle.outputs.setdefault(key, set()).add(report.output)
        self.history.say("ends", start.run_id, start.request.key, start.attempt, report)
        return report

    def pass_time(self) -> None:
        """A little while, or until just before, at or just after the next timer."""
        due = done(self.eye.next_due())
        now = self.clock.now()
        if due is not None and due > now and self.random.random() < 0.6:
            shift = self.random.choice((-1, 0, 1)) * timedelta(milliseconds=1)
            self.clock.advance(max(due - now + shift, timedelta(0)))
        else:
            self.clock.advance(self.random.choice((0.001, 0.5, 3.0)))


def _undoable(plot: Plot) -> set[str]:
    """Names of steps that are undone whenever a run of the plot is cancelled."""
    if "cancelled" not in plot.undo_on:
        return set()
    steps = steps_of(plot)
    return {step.name for step in steps if step.undo} - {
        step.name for step in steps if not step.undo
    }
