"""The partition of a key: the same as Kafka's own producers choose."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import (
    murmur2 as of_the_driver,  # pyright: ignore[reportUnknownVariableType]  # no types there
)
from hypothesis import given, strategies as st

from hitl_events.adapters.kafka.partitioning import murmur2, partition_of


@given(st.binary(max_size=200))
def test_every_key_hashes_as_elsewhere(key: bytes) -> None:
    """Of any length, also those that are no multiple of four."""
    assert murmur2(key) == of_the_driver(key)


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_known_hashes(key: bytes, hashed: int) -> None:
    """Values that Kafka's Java client is known for, signed as there."""
    assert murmur2(key) == hashed & 0xFFFFFFFF


def test_a_run_has_one_partition() -> None:
    """The positive part of the hash, modulo the count."""
    assert partition_of("foobar", 12) == (-790332482 & 0x7FFFFFFF) % 12
    assert {partition_of(f"run-{number}", 4) for number in range(100)} == {0, 1, 2, 3}
