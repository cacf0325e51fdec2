"""Headers that only clients in C can write: they must not stop the partition that they are in."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence

import pytest

from hitl_events.adapters.kafka.reader import Reader
from hitl_events.adapters.kafka.records import Place, Stored
from tests.integration.kafka_made import made, settings_of
from tests.kafka.cluster import Cluster

GZIP = ("-z", "gzip")


async def _written_by_kcat(
    cluster: Cluster, place: Place, header: bytes, value: bytes, *options: str
) -> None:
    kcat = shutil.which("kcat")
    if kcat is None:
        pytest.skip("no kcat on this machine")
    to = ["-P", "-q", "-b", cluster.bootstrap, "-t", place.topic, "-p", str(place.partition)]
    process = await asyncio.create_subprocess_exec(
        kcat, *to, *options, b"-H", header, stdin=asyncio.subprocess.PIPE
    )
    await asyncio.wait_for(process.communicate(value), 30)
    assert process.returncode == 0


@pytest.mark.parametrize("options", [(), GZIP], ids=["plain", "gzip"])
async def test_a_record_with_any_header_is_read_and_those_after_it(
    broker: Cluster, prefix: str, options: Sequence[str]
) -> None:
    """A name that is no UTF-8 is made legible, a value of null is empty; nothing else changes."""
    settings = settings_of(broker, prefix)
    place = Place((await made(settings)).decisions, 1)
    for header, value in ((b"a=1", b"one"), (b"\xff\xc3=\xfe", b"two"), (b"b", b"three\nfour")):
        await _written_by_kcat(broker, place, header, value, *options)

    found: list[Stored] = []
    async with asyncio.timeout(30), Reader(settings) as reader:
        async for piece in reader.read(place):
            found += piece

    assert [(each.offset, each.value, each.headers) for each in found] == [
        (0, b"one", (("a", b"1"),)),
        (1, b"two", (("\\xff\\xc3", b"\xfe"),)),
        (2, b"three", (("b", b""),)),
        (3, b"four", (("b", b""),)),
    ]
