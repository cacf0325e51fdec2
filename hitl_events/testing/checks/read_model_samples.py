"""Read models to fill: histories as the engine gave them, folded into a database piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from random import Random
from typing import Protocol, TypeAlias

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import Comparison, Difference
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.domain.values import RunId
from hitl_events.projections.folding import Folding
from hitl_events.projections.store import Tenure
from hitl_events.testing.checks.promise import BrokenPromise
from hitl_events.testing.histories import history_of
from hitl_events.testing.mixing import chained, mixed

CODEC = AvroCodec()


class Place(Protocol):
    """Where one read model is, which is not there before it is opened for writing."""

    def open(self, *, writable: bool = True) -> Database:
        """Another connection, as of another process; whoever asks closes it."""
        ...


MakePlace: TypeAlias = Callable[[], AbstractContextManager[Place]]
PlacePromise: TypeAlias = Callable[[Place], None]


class Told:
    """Some runs, and the log in which their events stand mixed."""

    def __init__(self, seed: int, count: int = 12) -> None:
        self.random = Random(seed)
        self.runs: Mapping[RunId, Sequence[bytes]] = {
            RunId(f"run-{number}"): chained(history_of(self.random), f"run-{number}", CODEC)
            for number in range(count)
        }
        [self.log] = mixed(list(self.runs.values()), self.random, 1)

    def partitions(self, count: int) -> list[list[bytes]]:
        """The same events, mixed in another way over so many."""
        return mixed(list(self.runs.values()), self.random, count)


@contextmanager
def opened(place: Place) -> Generator[ReadModel]:
    """A writer, closed at the end."""
    model = ReadModel(place.open())
    try:
        yield model
    finally:
        model.close()


@contextmanager
def looked_at(place: Place) -> Generator[Database]:
    """A reader, closed at the end."""
    database = place.open(writable=False)
    try:
        yield database
    finally:
        database.close()


class Writer:
    """Whoever folds a partition; it takes it over when it is made."""

    def __init__(self, model: ReadModel, partition: int = 0) -> None:
        self._model = model
        self._folding = Folding(CODEC, model.load)
        self.tenure: Tenure = model.take_over(partition)

    def write(self, values: Sequence[bytes], piece: int = 50) -> None:
        """Events that come next in its partition, so many to a piece."""
        for start in range(0, len(values), piece):
            part = values[start : start + piece]
            end = self.tenure.next_offset + len(part)
            rows = self._folding.fold(part)
            self.tenure = self._model.write(self.tenure, rows, end, end - 1)


def filled(model: ReadModel, values: Sequence[bytes], piece: int = 50) -> Writer:
    """All of a log, as its only partition."""
    writer = Writer(model)
    writer.write(values, piece)
    return writer


def differences(database: Database, runs: Mapping[RunId, Sequence[bytes]]) -> list[Difference]:
    """What is not as the events of these runs say, which are all that there are."""
    comparison = Comparison(database, CODEC)
    found = [each for run_id, values in runs.items() for each in comparison.run(run_id, values)]
    return [*found, *comparison.finish(runs)]


def refused(error: type[Exception], doing: Callable[[], object]) -> Exception:
    """It ends with this error, or the promise is broken."""
    try:
        doing()
    except error as found:
        return found
    raise BrokenPromise(f"expected {error.__name__}, found that it was accepted")
