import zlib

import pytest
from hypothesis import given, settings, strategies as st

from hitl_events.adapters.sqlite.blocks import BLOCK_BYTES, pack, unpack
from hitl_events.errors import CorruptLog
from hitl_events.testing.checks.samples import noise

PLACE = "log.db"
values_of_any_size = st.lists(
    st.one_of(
        st.binary(max_size=300),
        st.integers(0, 40_000).map(lambda size: b"a" * size),
        st.integers(0, 40_000).map(noise),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None)
@given(values=values_of_any_size, first=st.integers(0, 2**40))
def test_values_come_back(values: list[bytes], first: int) -> None:
    """Blocks give back what was packed into them, in order, at the offsets that follow."""
    rows = pack(values, first)

    assert [value for row in rows for value in unpack(row, PLACE)] == values
    assert [row[0] for row in rows] == [
        first + sum(r[1] for r in rows[:n]) for n in range(len(rows))
    ]


def test_blocks_are_bounded() -> None:
    """Only a value that is larger than a block makes a larger one, and it is alone in it."""
    values = [b"x" * 1000] * 50 + [b"y" * 3 * BLOCK_BYTES] + [b"z" * 1000]

    for row in pack(values, 0):
        sizes = [len(value) for value in unpack(row, PLACE)]
        assert sum(sizes) <= BLOCK_BYTES or len(sizes) == 1


def test_a_part_is_a_beginning() -> None:
    """`upto` gives the first values only, from packed blocks and from plain ones."""
    for values in ([b"value %d" % n for n in range(100)], [noise(100 + n) for n in range(9)]):
        (row,) = pack(values, 7)
        for upto in range(1, len(values) + 1):
            assert unpack(row, PLACE, upto) == values[:upto]
        assert unpack(row, PLACE, 1000) == values


@pytest.mark.parametrize("values", [[b"value %d" % n for n in range(30)], [noise(60)]])
def test_every_flipped_bit_is_found(values: list[bytes]) -> None:
    """No bit of a stored block can change without `CorruptLog`, which names the block."""
    ((first, count, data),) = pack(values, 41)

    for position in range(len(data) * 8):
        bent = bytearray(data)
        bent[position // 8] ^= 1 << position % 8
        with pytest.raises(CorruptLog, match="block at offset 41"):
            unpack((first, count, bytes(bent)), PLACE)


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 6, -1])
def test_a_cut_block_is_found(cut: int) -> None:
    """A block that lost its end is not read as a shorter one."""
    ((first, count, data),) = pack([b"value"] * 9, 0)

    with pytest.raises(CorruptLog):
        unpack((first, count, data[:cut]), PLACE)


@pytest.mark.parametrize(("first", "count"), [(1, 3), (0, 2), (0, 4), (0, 0), (0, -1), (-1, 3)])
def test_a_moved_block_is_found(first: int, count: int) -> None:
    """A whole block at another offset, or with another count, is not believed."""
    ((_, _, data),) = pack([b"a", b"b", b"c"], 0)

    with pytest.raises(CorruptLog):
        unpack((first, count, data), PLACE)


def test_a_newer_format_says_so() -> None:
    """A block in a format of a later release asks for that release."""
    ((first, count, data),) = pack([b"a"], 0)
    head = bytes((9,))
    signed = zlib.crc32(data[5:], zlib.crc32(head + bytes(8) + (1).to_bytes(4, "little")))

    with pytest.raises(CorruptLog, match="unknown format 9: upgrade"):
        unpack((first, count, head + signed.to_bytes(4, "little") + data[5:]), PLACE)


def test_a_block_is_smaller_than_its_values() -> None:
    """What repeats is stored once: this is why there are blocks."""
    (row,) = pack([b'{"verdict":"approve"}'] * 100, 0)

    assert len(row[2]) < 200
