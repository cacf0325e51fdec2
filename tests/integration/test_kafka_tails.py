"""Whether records stand at the ends of partitions, on a real broker: of all at the same time."""

from __future__ import annotations

from hitl_events.adapters.kafka.ends import Ends
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.kafka.tails import Tails
from tests.integration.kafka_made import left_open, made, settings_of, started
from tests.kafka.cluster import Cluster

PARTITIONS = 5


async def test_markers_and_aborted_records_are_none(broker: Cluster, prefix: str) -> None:
    """What an open transaction holds is not known yet; what is behind the span does not count."""
    settings = settings_of(broker, prefix)
    topics = await made(settings, PARTITIONS)
    places = [Place(topics.decisions, partition) for partition in range(PARTITIONS)]
    records = [Outgoing(place=place, key=None, value=b"v") for place in places]
    async with started(settings) as writer:
        await writer.transaction(records)
        await left_open(writer, records[1])
    async with started(settings) as after, Ends(settings) as ends, Tails(settings) as tails:
        await after.transaction([records[2]])
        await after.close_dangling(topics.owned(0), ends, places)
        await left_open(after, records[3])
        high = await ends.high(places)

        found = await tails.hold({place: (1, high[place]) for place in places})
        again = await tails.hold({places[4]: (0, high[places[4]]), places[2]: (1, 2)})

    assert [high[place] for place in places] == [2, 4, 4, 3, 2]
    known = {0: False, 1: False, 2: True, 4: False}
    assert found == {places[partition]: waits for partition, waits in known.items()}
    assert again == {places[4]: True, places[2]: False}
