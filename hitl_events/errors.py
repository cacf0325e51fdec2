"""Every exception that leaves the library: one root, fields as attributes, messages that help."""

from __future__ import annotations


class HitlError(Exception):
    """The root of all errors of this library: catch it to catch them all."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled as what it says and its attributes, whatever it is made of."""
        return _made, (type(self), self.args), self.__dict__


def _made(kind: type[HitlError], args: tuple[object, ...]) -> HitlError:
    return kind.__new__(kind, *args)


class InvalidInput(HitlError):
    """What was passed in can not be taken; the message says what was expected and found."""


class NotSerialisable(HitlError):
    """A value that must be recorded is not JSON; `path` says where in it, as in `$.lines[2]`."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"expected a JSON value at {path}, found {problem}")


class RecipeError(HitlError):
    """A recipe is written or registered wrongly; nothing was run. Mend the recipe."""


class UnknownRecipe(HitlError):
    """No recipe of that name (and version) is registered here; `known` lists those there are."""

    def __init__(self, name: str, version: str | None, known: tuple[str, ...]) -> None:
        self.name = name
        self.version = version
        self.known = known
        wanted = name if version is None else f"{name} version {version}"
        listed = ", ".join(known) or "none"
        super().__init__(f"expected a registered recipe, found {wanted!r}; registered: {listed}")


class UnknownRun(HitlError):
    """No run of that id is in this log."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"expected a run of this log, found no run {run_id!r}")


class ImpossibleHistory(HitlError):
    """A stream of events that no engine can have written: the log was edited or is not ours."""

    def __init__(self, run_id: str, seq: int, problem: str) -> None:
        self.run_id = run_id
        self.seq = seq
        self.problem = problem
        super().__init__(f"run {run_id!r}, event {seq}: {problem}")


class CorruptLog(HitlError):
    """A stored event can not be read or breaks its chain. `hitl verify` lists what is wrong.

    `place` is topic, partition and offset of the record, where it is known to stand in a topic.
    """

    advice = "run `hitl verify` to see all of it"

    def __init__(
        self, where: str, problem: str, *, place: tuple[str, int, int] | None = None
    ) -> None:
        self.place = place
        self.where = where
        self.problem = problem
        super().__init__(f"{where}: {problem}; {self.advice}")


class DamagedReadModel(CorruptLog):
    """The read model holds what no fold writes, or its file is damaged: the log is not touched."""

    advice = "run `hitl rebuild`, which folds it anew"


class UnsoundCheckpoint(HitlError):
    """A signed checkpoint that was changed, cut, or signed by another key: it proves nothing."""


class LogUnavailable(HitlError):
    """The log can not be reached, opened or written.

    Nothing of the failed batch was recorded, unless it is an `OutcomeUnknown`.
    """


class OutcomeUnknown(LogUnavailable):
    """A batch was sent and its end was not heard: it is in the log as a whole or not at all.

    Forget what was made of it and read the log anew; never send it again by itself.
    """


class RunLeft(LogUnavailable):
    """The log failed (or `NoThread`) after a command was recorded, before its run came to rest.

    Run `run_id` stays as it was recorded. The same command goes on with it; a start needs that id,
    without it a second run would begin.
    """

    def __init__(self, run_id: str, problem: str) -> None:
        self.run_id = run_id
        self.problem = problem
        super().__init__(
            f"{problem}; but the command was recorded before that: repeat it to go on with run "
            f"{run_id} (a start with this run id, else a second run begins)"
        )


class UnreadableKey(LogUnavailable):
    """The token key of a data directory may not be read: give it back its owner and mode.

    What makes and takes no token does without it.
    """


class AccessDenied(LogUnavailable):
    """The broker refuses this user a right. `hitl topics acls` prints those that are needed.

    `resource` is topic, group, transactional id or cluster, `name` which one, `operation` the
    right, as in `WRITE`.
    """

    def __init__(self, resource: str, name: str, operation: str) -> None:
        self.resource = resource
        self.name = name
        self.operation = operation
        super().__init__(
            f"expected the right {operation} on {resource} {name!r}, found it refused: grant it "
            f"(`hitl topics acls` prints what each process needs)"
        )


class AuthenticationFailed(LogUnavailable):
    """The broker does not take this user, mechanism or certificate; `cause` is what it said."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(
            f"expected the broker to take this user, found {cause}: check "
            f"HITL_KAFKA_SECURITY_PROTOCOL, HITL_KAFKA_SASL_* and HITL_KAFKA_SSL_*"
        )


class UnknownTopic(LogUnavailable):
    """A topic (or a partition of it) is not there. `hitl topics create` makes all of them."""

    def __init__(self, topic: str, partition: int | None = None) -> None:
        self.topic = topic
        self.partition = partition
        place = f"topic {topic!r}"
        wanted = place if partition is None else f"partition {partition} of {place}"
        super().__init__(f"expected {wanted}, found none: run `hitl topics create`")


class OffsetOutside(HitlError):
    """An offset that the log does not hold (any more): it was cut, deleted or made anew.

    `first` and `end` are what it holds, `end` not included. Whoever believed in `offset` must not
    go on from another one by itself. `group` is the one that had committed it, where one had.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        held: tuple[int, int],
        group: str | None = None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.first, self.end = held
        self.group = group
        noted = "remove what was noted about it"
        if group is not None:
            noted = f"move the group {group!r} with kafka-consumer-groups.sh to go on without them"
        super().__init__(
            f"expected offset {offset} of {topic}-{partition} to be in the log, found offsets "
            f"{self.first} to {self.end} (not included): records were deleted or the topic was "
            f"made anew; restore the topic, or {noted}"
        )


class TopicDiffers(HitlError):
    """A topic is there with another number of partitions, which can not be changed.

    The key decides the partition: a change would move runs away from their events. `beside` is
    the topic that has as many as expected, where they disagree among themselves.
    """

    def __init__(self, topic: str, found: int, expected: int, beside: str | None = None) -> None:
        self.topic = topic
        self.found = found
        self.expected = expected
        if beside is None:
            wanted, way = f"{expected} partitions", f"ask for {found}"
        else:
            wanted, way = f"as many partitions as {beside!r}, {expected}", "restore the topics"
        super().__init__(
            f"expected topic {topic!r} with {wanted}, found {found}: {way}, "
            f"or take another HITL_TOPIC_PREFIX (the number can not be changed later)"
        )


class StateLost(LogUnavailable):
    """The local state file of a partition can not be used any more, and was thrown away.

    Nothing is lost: take the partition over again, and it is made anew from the log.
    """


class PartitionsChanged(HitlError):
    """The topics have another number of partitions than when this partition's state was written.

    Runs would be looked for where their events are not: nothing may be processed.
    """

    def __init__(self, topic: str, found: int, expected: int) -> None:
        self.topic = topic
        self.found = found
        self.expected = expected
        super().__init__(
            f"expected topic {topic!r} with {expected} partitions, as when its checkpoints were "
            f"written, found {found}: the number must not change; restore the topics from a "
            f"backup, or take another HITL_TOPIC_PREFIX"
        )


class RecordTooLarge(HitlError):
    """A record that its topic can not hold; size records before sending them."""

    def __init__(self, topic: str, problem: str) -> None:
        self.topic = topic
        self.problem = problem
        super().__init__(f"expected a record that {topic!r} can hold, found {problem}")


class RegistryUnavailable(HitlError):
    """The schema registry can not be asked; what waits for it is neither refused nor lost."""


class IntakeFull(LogUnavailable):
    """So much waits for the owner of the log that no more is taken; nothing of it was recorded."""


class ReadOnlyLog(HitlError):
    """The data directory was imported for reading; nothing may run in it."""


class ProcessDied(HitlError):
    """A process that this one had started to work beside it ended before it had answered.

    What it was at is known, why it ended is not: the system (out of memory), or the users' code.
    """

    def __init__(self, work: str, how: str) -> None:
        self.work = work
        self.how = how
        wanted = f"expected a process to be done with {work}, found that it died ({how})"
        super().__init__(f"{wanted}; look for a lack of memory, or try with --jobs 1")


class NoThread(HitlError):
    """The system gave this process no thread for a step that needs one; the step did not begin.

    Nothing was recorded about it: a process that has room runs it.
    """

    def __init__(self, step: str, problem: str) -> None:
        self.step = step
        self.problem = problem
        super().__init__(
            f"expected a thread for step {step!r}, found: {problem}; raise the limits of processes "
            f"and memory (`ulimit -u`, `ulimit -v`), or let less run beside it"
        )


class Fenced(HitlError):
    """Another owner has taken the partition over; this one may append nothing more."""


class NoReadModel(LogUnavailable):
    """There is none of this release at the place that is named. `hitl rebuild` folds it."""

    def __init__(self, place: str) -> None:
        super().__init__(f"expected a read model in {place}, found none: run `hitl rebuild`")


class ReadModelDiffers(HitlError):
    """The read model was folded from another log, or from events that this one has lost.

    `hitl rebuild` folds it anew.
    """

    def __init__(self, partition: int, offset: int) -> None:
        self.partition = partition
        self.offset = offset
        super().__init__(
            f"expected the event at offset {offset} of partition {partition} with which the read "
            f"model ended, found another or none: this is not the log that was folded, or it lost "
            f"its tail; run `hitl rebuild`"
        )


class StepError(HitlError):
    """A step of the recipe failed for good: `step`, `error`, `message`.

    `error` is the class of the cause, or a code such as `output.too_large`.
    """

    def __init__(self, step: str, error: str, message: str) -> None:
        self.step = step
        self.error = error
        self.message = message
        said = f"{error}: {message}" if message else error
        super().__init__(f"step {step!r} failed: {said}")


class GateExpired(HitlError):
    """A gate ran out of time and names no verdict for that case (`on_expiry`)."""

    def __init__(self, gate: str) -> None:
        self.gate = gate
        super().__init__(f"gate {gate!r} expired without a decision")


class RecipeStopped(HitlError):
    """A recipe can not be driven on: `code`, and where it left the history if it did.

    The run is blocked until the code is mended; nothing of it is lost.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        at_seq: int | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.expected = expected
        self.found = found
        self.at_seq = at_seq
        super().__init__(message)


class RecipeSpins(BaseException):
    """Sent into a recipe that computes too long between two awaits.

    Not an `Exception`, so that a recipe's `except Exception` does not swallow it. Never leaves the
    library: the run is blocked with `recipe.stuck`.
    """


class ForeignTask(BaseException):
    """Raised in a recipe that wants a task of the event loop: it would run outside of the history.

    Not an `Exception`, as above. Never leaves the library: the run is blocked with
    `recipe.foreign_await`. `found` says what it wanted.
    """

    def __init__(self, found: str) -> None:
        self.found = found
        super().__init__(found)
