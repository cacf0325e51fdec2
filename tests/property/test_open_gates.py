"""Counting open gates by the heads of records: the same as folding them."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, strategies as st

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.kafka.filling import open_gates
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.domain.events import Event
from hitl_events.domain.values import RunId
from hitl_events.engine.active import ActiveRun
from hitl_events.ports import Appended
from hitl_events.testing.strategies import histories

CODEC = AvroCodec()


@given(history=histories(), data=st.data())
def test_open_gates_are_those_of_the_fold(history: tuple[Event, ...], data: st.DataObject) -> None:
    """After every event of an active run, wherever its checkpoint was cut into chunks."""
    values = [CODEC.encode(event) for event in history]
    active = ActiveRun(RunId(history[0].run_id))
    for seq, value in enumerate(values, 1):
        active.restore([value], CODEC)
        if active.run.ended:
            break
        cut = data.draw(st.integers(0, seq))
        before = open_gates(values[:cut], CODEC)
        assert open_gates(values[cut:seq], CODEC, before) == len(active.run.pending)


@given(given_=st.lists(histories(), min_size=1, max_size=4))
def test_a_state_file_knows_how_many_gates_are_open(given_: list[tuple[Event, ...]]) -> None:
    """In all its runs, also after it was closed and opened again; ended runs have none."""
    with TemporaryDirectory() as name:
        path = Path(name) / "0.db"
        states = StateFile.open(path, "identity", CODEC)
        expected = end = 0
        for history in {each[0].run_id: each for each in given_}.values():
            active = ActiveRun(RunId(history[0].run_id))
            active.restore([CODEC.encode(event) for event in history], CODEC)
            position = active.position()
            expected += 0 if active.run.ended else len(active.run.pending)
            end += len(history)
            events = [Appended(event=event, value=CODEC.encode(event)) for event in history]
            states.apply(events, [position], end, {})
        assert states.gates() == expected
        states.close()

        again = StateFile.open(path, "identity", CODEC)
        assert again.gates() == expected
        again.close()
