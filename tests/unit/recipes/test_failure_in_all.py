from typing import Any

from hitl_events import Retry, Run, StepError, recipe
from tests.unit.world import World


def fine() -> str:
    return "fine"


def late() -> str:
    return "late"


def broken() -> None:
    raise ValueError("first")


def worse() -> None:
    raise OSError("second")


def test_what_has_started_is_waited_for() -> None:
    """A failed branch does not end the run while a sibling's step is under way."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.all(run.step(broken), run.step(late))

    world = World(body)
    world.ask(world.starting("r"))
    world.finish("broken")
    assert world.story() == ["RunStarted", "StepFailed broken"]
    world.finish("late")

    assert world.story()[2:] == ["StepCompleted late", "RunFailed step.failed"]


def test_nothing_new_begins_after_a_failure() -> None:
    """A sibling branch whose step comes in after the failure asks for nothing more."""
    seen: list[str] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def branch() -> None:
            seen.append(await run.step(late))
            await run.step(fine)

        await run.all(run.step(broken), branch())

    world = World(body)
    world.ask(world.starting("r"))
    world.finish("broken", "late")

    assert seen == []
    assert world.story()[-2:] == ["StepCompleted late", "RunFailed step.failed"]


def test_the_gates_beside_are_withdrawn() -> None:
    """A sibling's open gate is closed before the error is raised; its token answers superseded."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def deep() -> None:
            await run.all(run.gate("h"), run.step(late))

        try:
            await run.all(run.step(broken), run.gate("g"), deep())
        except StepError:
            return "caught"

    world = World(body)
    world.ask(world.starting("r"))
    token = world.token("g")
    world.finish("broken")
    assert world.story()[-2:] == ["GateClosed g withdrawn", "GateClosed h withdrawn"]
    world.finish("late")

    assert world.outcome().artefact["result"] == "caught"
    assert world.ask(world.deciding(token=token)).reason == "superseded"


def test_a_gate_whose_time_is_over_as_well_is_withdrawn() -> None:
    """Nobody ran when two gates ended: the end of the first closes the other, as it would have."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        later = run.gate("later", expires_in=20, on_expiry="approve")
        await run.all(later, run.gate("sooner", expires_in=10))

    world = World(body)
    world.start("r")
    world.wait(60)

    assert world.story()[3:] == [
        "GateClosed sooner expired",
        "GateClosed later withdrawn",
        "RunFailed gate.expired",
    ]
    world.replayed()


def test_a_gate_that_was_asked_for_in_the_same_turn_is_withdrawn_too() -> None:
    """A branch that fails at once leaves no gate of its siblings open."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def at_once() -> None:
            raise ValueError("at once")

        await run.all(run.gate("g"), at_once(), run.gate("never asked for"))

    world = World(body)
    world.start("r")

    assert world.story() == [
        "RunStarted",
        "GatePaused g",
        "GateClosed g withdrawn",
        "RunFailed recipe.failed",
    ]
    world.replayed()


def test_the_first_failure_in_the_log_is_raised() -> None:
    """Of two failures the one with the lower seq is raised, whatever the positions."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.all(run.step(broken), run.step(worse))

    world = World(body)
    world.ask(world.starting("r"))
    world.finish("worse", "broken")

    assert world.outcome().diagnostics[0].message == "step 'worse' failed: OSError: second"
    world.replayed()


def test_a_failure_reaches_the_outermost_all() -> None:
    """A failure in a nested `all` withdraws the gates beside the outer one as well."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.all(run.gate("outer"), run.all(run.gate("inner"), run.step(broken)))

    world = World(body)
    world.start("r")

    assert world.story() == [
        "RunStarted",
        "GatePaused outer",
        "GatePaused inner",
        "StepFailed broken",
        "GateClosed inner withdrawn",
        "GateClosed outer withdrawn",
        "RunFailed step.failed",
    ]
    world.replayed()


def test_a_failure_caught_inside_a_branch_is_none() -> None:
    """What a branch handles itself does not touch its siblings."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def careful() -> str:
            try:
                await run.step(broken)
            except StepError as error:
                return error.error
            return "fine"

        found = await run.all(careful(), run.gate("g"))
        return [found[0], found[1].verdict]

    world = World(body)
    world.start("r")

    assert world.decide().artefact["result"] == ["ValueError", "approve"]


def test_the_run_goes_on_after_a_caught_failure() -> None:
    """A recipe that catches the error of an `all` may ask for the same things again."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        for step in (broken, fine):
            try:
                return [(await run.all(run.gate("g"), run.step(step)))[0].verdict]
            except StepError:
                continue
        return None

    world = World(body)
    world.start("r")

    assert world.story()[-2:] == ["GatePaused g 2", "StepCompleted fine"]
    assert world.decide().artefact["result"] == ["approve"]
    world.replayed()


def test_a_retry_is_waited_for() -> None:
    """A sibling that is to be tried again has started: its end is waited for."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.all(run.step(broken), run.step(worse, retry=Retry(attempts=2, initial_s=5)))

    world = World(body)
    world.ask(world.starting("r"))
    world.finish("worse", "broken")
    assert world.outcome().status == "running"
    world.wait(5)
    world.settle()

    assert world.story()[-2:] == ["StepFailed worse", "RunFailed step.failed"]
    assert "broken" in world.outcome().diagnostics[0].message


def test_a_withdrawn_gate_takes_a_decision_that_was_first() -> None:
    """A decision in the same batch before the failure is received; the gate is not withdrawn."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.all(run.step(broken), run.gate("g"))

    world = World(body)
    world.ask(world.starting("r"))
    decision = world.submission(world.deciding())
    world.put(decision, *world.run_steps())

    assert world.story()[2:] == [
        "DecisionReceived g approve",
        "StepFailed broken",
        "RunFailed step.failed",
    ]


def test_a_crash_anywhere_in_it_changes_nothing() -> None:
    """A failure inside `all` that is cut by a crash after any event ends in the same way."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        try:
            await run.all(run.gate("g"), run.step(broken), run.gate("h"))
        except StepError:
            await run.step(fine)

    world = World(body)
    world.start("r")
    whole = world.story()
    for end in range(1, len(whole)):
        other = World(body)
        other.start("r")
        other.cut(end)
        other.settle()
        assert sorted(other.story()) == sorted(whole)


def test_an_error_that_looks_empty_is_raised() -> None:
    """A failed branch is one also where its exception is false, as one of no length is."""

    class Problems(Exception):
        def __len__(self) -> int:
            return len(self.args)

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def branch() -> None:
            raise Problems

        try:
            await run.all(run.step(fine), branch())
        except Problems:
            return "caught"

    assert World(body).start("r").artefact["result"] == "caught"
