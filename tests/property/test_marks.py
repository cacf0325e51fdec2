"""Laws of the end mark: what comes back from its bytes answers as the run whose mark it is."""

from hypothesis import given, settings, strategies as st

from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain.events import Event
from hitl_events.domain.evolve import fold
from hitl_events.domain.mark import EndMark, mark_of, state_of, winners_only
from hitl_events.domain.process import process
from hitl_events.domain.state import end_mark, status
from hitl_events.domain.values import digest
from hitl_events.engine.active import ActiveRun
from hitl_events.testing.strategies import commands, histories

CODEC = AvroCodec()


def _through_bytes(mark: EndMark) -> EndMark:
    read = CODEC.decode_mark(CODEC.encode_mark(mark))
    assert read is not None
    assert read == mark
    return read


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_mark_read_back_answers_as_the_whole_run(data: st.DataObject) -> None:
    """Late, racing and repeated decisions, starts and cancels get the same answer, word by word."""
    history = data.draw(histories(ended=True))
    head = digest(CODEC.encode(history[-1]))
    whole = fold(history)
    assert whole is not None
    assert whole.ended

    read = state_of(_through_bytes(mark_of(whole, head)))

    assert status(read) == status(whole)
    for command in data.draw(st.lists(commands(history), min_size=1, max_size=5)):
        assert process(read, command) == process(whole, command)
        assert process(read, command) == process(end_mark(whole), command)


@settings(max_examples=40, deadline=None)
@given(history=histories(ended=True), at=st.floats(0, 1))
def test_a_run_goes_on_from_its_mark(history: tuple[Event, ...], at: float) -> None:
    """A mark and the events after it restore to what all events do, wherever the cut is."""
    values = [CODEC.encode(event) for event in history]
    runs = [fold(history[: n + 1]) for n in range(len(history))]
    ends = [n for n, run in enumerate(runs) if run is not None and run.ended]
    cut = ends[int(at * (len(ends) - 1))]
    run = runs[cut]
    assert run is not None
    whole, marked = ActiveRun(run.started.run_id), ActiveRun(run.started.run_id)

    whole.restore(values, CODEC)
    mark = mark_of(run, digest(values[cut]))
    marked.restore([CODEC.encode_mark(mark), *values[cut + 1 :]], CODEC)

    assert marked.position() == whole.position()
    assert mark_of(marked.run, marked.head) == mark_of(whole.run, whole.head)


@settings(max_examples=40, deadline=None)
@given(history=histories(ended=True))
def test_a_shortened_mark_keeps_the_winners(history: tuple[Event, ...]) -> None:
    """Without the decisions that closed no gate, every gate still names who closed it."""
    run = fold(history)
    assert run is not None
    mark = mark_of(run, bytes(32))

    short = state_of(_through_bytes(winners_only(mark)))

    assert [gate.winner for gate in short.gates.values()] == [
        gate.winner for gate in run.gates.values()
    ]
    assert (short.phase, short.seq, short.start_digest) == (run.phase, run.seq, mark.start_digest)
    assert short.rejected == run.rejected
