"""What stands in the topic of checkpoints was released: it is read for ever, and by anybody."""

import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import fastavro
import pytest

from hitl_events.adapters.avro.kept import KeptCodec
from hitl_events.adapters.avro.schemas import HEAD_BYTES, load
from hitl_events.adapters.kafka.checkpoints import PARTITION_MARKS, RUN_CHECKPOINTS
from hitl_events.domain.mark import DecisionMark, EndMark, GateMark
from hitl_events.errors import CorruptLog

GOLDEN: dict[str, str] = json.loads(
    (Path(__file__).parents[3] / "golden" / "checkpoints.json").read_text(encoding="utf-8")
)
CODECS: dict[str, KeptCodec[Any]] = {
    "EndMark": KeptCodec(EndMark, GateMark, DecisionMark),
    "RunCheckpoint": RUN_CHECKPOINTS,
    "PartitionMark": PARTITION_MARKS,
}
FASTAVRO: Any = fastavro
"""Its types are partly unknown."""

by_name = pytest.mark.parametrize("name", CODECS)


def _listed(value: Any) -> Any:
    """Tuples as JSON and Avro know them: lists."""
    return json.loads(json.dumps(value, default=str))


@by_name
def test_a_golden_record_comes_back_as_the_same_bytes(name: str) -> None:
    """One value has one spelling."""
    raw = bytes.fromhex(GOLDEN[name])

    assert CODECS[name].encode(CODECS[name].decode(raw)) == raw


@by_name
def test_any_avro_library_reads_the_same(name: str) -> None:
    """The file in `schemas/` is all that it takes; names and values are those of the class."""
    raw = bytes.fromhex(GOLDEN[name])
    found: Any = CODECS[name].decode(raw)

    read = FASTAVRO.schemaless_reader(io.BytesIO(raw[HEAD_BYTES:]), load(f"{name}.avsc"), None)

    assert _listed(asdict(found)) == _listed(read)
    assert list(read) == [field.name for field in fields(found)]


@by_name
def test_a_cut_or_longer_record_is_corrupt(name: str) -> None:
    """Wherever it is cut: nothing is read that was not written."""
    raw = bytes.fromhex(GOLDEN[name])

    for bad in (*(raw[:end] for end in range(HEAD_BYTES, len(raw))), raw + b"\0"):
        with pytest.raises(CorruptLog, match="expected"):
            CODECS[name].decode(bad)


@by_name
def test_a_record_of_another_name_is_none_of_these(name: str) -> None:
    """Who meets one asks the next codec."""
    others = [raw for other, raw in GOLDEN.items() if other != name]

    assert [CODECS[name].decode(bytes.fromhex(raw)) for raw in others] == [None, None]
    assert CODECS[name].decode(b"") is None
