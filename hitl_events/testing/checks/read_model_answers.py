"""The promises about what a read model answers: as its events say, and no change goes unseen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hitl_events.adapters.readmodel.contents import digest_of
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.domain.events import (
    DecisionReceived,
    DecisionRejected,
    Event,
    GatePaused,
    StepFailed,
)
from hitl_events.domain.evolve import fold
from hitl_events.domain.state import RunState, status
from hitl_events.domain.values import RunId
from hitl_events.projections.tables import TABLES, Plain, Table
from hitl_events.testing.checks.promise import BrokenPromise, same
from hitl_events.testing.checks.read_model_samples import (
    CODEC,
    Place,
    PlacePromise,
    Told,
    differences,
    filled,
    opened,
)
from hitl_events.testing.histories import history_of
from hitl_events.testing.mixing import chained

MUTATIONS = 15
_STRANGE = (
    "\0",
    "a\0b\0",
    "\u202egpj.exe\u202c",
    "\N{FAMILY}\u200d\N{HEAVY BLACK HEART}\ufe0f \U0001f9d1\U0001f3fd\u200d\U0001f680",
    "e\u0301 \u00e9 \ufeff \uffff \U0010ffff",
    "'; DROP TABLE runs; -- %s %b ? ?1 :a $1 \\ \\x00",
    "\r\n\t \x1b[31m\x7f\x85\u2028",
    "",
    " ",
    "x" * 200_000,
    "\U0001f600" * 50_000,
)


def answers_are_those_of_the_events(place: Place) -> None:
    """Open pauses, runs and counters are what a fold of all events says, however it was cut."""
    told = Told(11, count=30)
    states = {run_id: _state(values) for run_id, values in told.runs.items()}
    with opened(place) as model:
        filled(model, told.log, piece=17)
        questions = Questions(model.database)

        same([each.paused for each in questions.open_pauses()], _open_of(told, states))
        same(questions.count_open(), len(_open_of(told, states)))
        same({row.run_id: (row.status, row.seq) for row in questions.runs()}, _standing(states))
        same(questions.counters(), _counted(told, states))
        same(list(questions.run_ids()), sorted(told.runs))
        for run_id, values in told.runs.items():
            same(questions.events(run_id), tuple(values))
        same(questions.events("unknown"), ())


def questions_may_be_narrowed(place: Place) -> None:
    """By recipe, time, status and number: the same rows as the whole answer has, in its order."""
    told = Told(12, count=30)
    with opened(place) as model:
        filled(model, told.log)
        questions = Questions(model.database)
        pauses, runs = questions.open_pauses(), questions.runs()
        same(len(pauses) > 3 and len({run.status for run in runs}) > 1, True, "enough to ask for")

        same(questions.open_pauses(limit=2), pauses[:2])
        same(questions.open_pauses(limit=0), [])
        same(questions.open_pauses(recipe="played"), pauses)
        same(questions.open_pauses(recipe="other"), [])
        until = CODEC.decode(pauses[1].paused).recorded_at
        early = [each for each in pauses if CODEC.decode(each.paused).recorded_at <= until]
        same(questions.open_pauses(recipe="played", until=until, limit=99), early)
        same(questions.runs(limit=3), runs[-3:])
        for wanted in (["paused"], ["completed", "failed"], ["cancelled"], ["no such status"]):
            fitting = [run for run in runs if run.status in wanted]
            same(questions.runs(statuses=wanted), fitting)
            same(questions.runs(statuses=wanted, recipe="played", limit=2), fitting[-2:])
        same(questions.runs(recipe="other"), [])


def ids_are_ordered_by_their_bytes(place: Place) -> None:
    """Ids that differ in case or in signs are different runs, in the order of their bytes."""
    names = ("a", "A", "b", "B", "-", "_", "~", ".", "a-b", "a_b", "a.b", "ab", "a~b", "10", "9")
    random = Random(13)
    events = history_of(random)
    runs = {RunId(name): chained(events, name, CODEC) for name in names}
    with opened(place) as model:
        filled(model, [value for values in runs.values() for value in values])

        same(list(Questions(model.database).run_ids()), sorted(runs))
        same([run.run_id for run in Questions(model.database).runs()], sorted(runs))
        same(differences(model.database, runs), [])


def any_text_is_kept(place: Place) -> None:
    """Texts of every kind and length come back as the fold gives them, in rows and in events."""
    random = Random(14)
    runs = {
        RunId(f"run-{number}"): chained(_told_strangely(random, text), f"run-{number}", CODEC)
        for number, text in enumerate(_STRANGE)
    }
    with opened(place) as model:
        filled(model, [value for values in runs.values() for value in values], piece=30)

        same(differences(model.database, runs), [])
        for run_id, values in runs.items():
            same(Questions(model.database).events(run_id) == tuple(values), True, "the same bytes")


def every_change_is_found(place: Place) -> None:
    """A row that is changed, removed or added is named by its run and seq; counters by name."""
    told = Told(15, count=4)
    random = Random(15)
    with opened(place) as model:
        database = model.database
        filled(model, told.log)
        sound = digest_of(database)
        for _ in range(MUTATIONS):
            table = random.choice([each for each in TABLES if _rows(database, each)])
            rows = _rows(database, table)
            row = random.choice(rows)
            mutated = _mutated(random, table, row, {each[: table.key] for each in rows})
            _replace(database, table, row, mutated)

            found = [(each.run_id, each.seq) for each in differences(database, told.runs)]
            at = table.names.index("seq")
            named = [(each[0], each[at]) for each in (row, mutated) if each]
            if not set(named) & set(found):
                raise BrokenPromise(f"expected {named} in {table.name} to be named, found {found}")
            if digest_of(database) == sound:
                raise BrokenPromise(f"expected another digest, found the same: {table.name} {row}")
            _replace(database, table, mutated, row)
        same(digest_of(database), sound)

        database.change("UPDATE counters SET count = count + 1 WHERE name = ?", [("events",)])
        same({each.run_id for each in differences(database, told.runs)}, {None})


def _told_strangely(random: Random, text: str) -> Sequence[Event]:
    """A history with a decision, in which that text stands wherever somebody may write one."""
    while True:
        events = history_of(random)
        if any(isinstance(each, DecisionReceived) for each in events):
            return [_strange(each, text) for each in events]


def _strange(event: Event, text: str) -> Event:
    match event:
        case DecisionReceived() | DecisionRejected():
            own = replace(event, notes=text, decided_by=text, key_id=text)
            return replace(own, message=text) if isinstance(own, DecisionRejected) else own
        case StepFailed():
            return replace(event, message=text, error=text)
        case _:
            return event


def _state(values: Sequence[bytes]) -> RunState:
    state = fold(map(CODEC.decode, values))
    assert state is not None, "it has a start"
    return state


def _open_of(told: Told, states: dict[RunId, RunState]) -> list[bytes]:
    """The values of the events that opened what is open, the longest waiting first."""
    found: list[tuple[tuple[object, ...], bytes]] = []
    for run_id, values in told.runs.items():
        for value in values:
            event = CODEC.decode(value)
            if isinstance(event, GatePaused) and event.seq in states[run_id].pending:
                found.append(((event.recorded_at, run_id, event.seq), value))
    return [value for _, value in sorted(found)]


def _standing(states: dict[RunId, RunState]) -> dict[RunId, tuple[str, int]]:
    return {run_id: (status(state), state.seq) for run_id, state in states.items()}


def _counted(told: Told, states: dict[RunId, RunState]) -> dict[tuple[str, str], int]:
    counted: Counter[tuple[str, str]] = Counter()
    for event in map(CODEC.decode, told.log):
        counted["events", type(event).__name__] += 1
        if isinstance(event, DecisionReceived):
            counted["decisions", "received"] += 1
        elif isinstance(event, DecisionRejected):
            counted["decisions", event.reason] += 1
    for state in states.values():
        counted["runs", status(state)] += 1
        counted["gates", "open"] += len(state.pending)
    return {key: count for key, count in counted.items() if count}


def _rows(database: Database, table: Table) -> list[Plain]:
    names = ", ".join(table.names)
    found = database.rows(f"SELECT {names} FROM {table.name} ORDER BY {names}")  # noqa: S608 - names of ours
    return [tuple(row) for row in found]


def _mutated(random: Random, table: Table, row: Plain, keys: set[Plain]) -> Plain:
    """The row with another value in one column, of a key that is not there; or nothing of it."""
    if random.random() < 0.15:
        return ()
    while True:
        column = random.randrange(len(row))
        name, kind = table.columns[column]
        nothing = name in table.nullable and row[column] is not None and random.random() < 0.3
        new = None if nothing else _another(random, kind, row[column])
        found = (*row[:column], new, *row[column + 1 :])
        if column >= table.key or found[: table.key] not in keys:
            return found


def _another(random: Random, kind: str, held: str | int | bytes | None) -> str | int | bytes:
    if kind == "int":
        return held + random.choice((-1, 1, 1_000)) if isinstance(held, int) else 7
    if kind == "text":
        return f"{held if isinstance(held, str) else ''}'"
    if not isinstance(held, bytes) or not held:
        return b"x"
    at = random.randrange(len(held))
    return bytes([*held[:at], held[at] ^ 1 << random.randrange(8), *held[at + 1 :]])


def _replace(database: Database, table: Table, row: Plain, by: Plain) -> None:
    keys = " AND ".join(f"{name} = ?" for name in table.names[: table.key])
    with database.transaction():
        if row:
            database.change(f"DELETE FROM {table.name} WHERE {keys}", [row[: table.key]])  # noqa: S608 - names of ours
        if by:
            database.put(table, [by])


ANSWERS: tuple[PlacePromise, ...] = (
    answers_are_those_of_the_events,
    questions_may_be_narrowed,
    ids_are_ordered_by_their_bytes,
    any_text_is_kept,
    every_change_is_found,
)
