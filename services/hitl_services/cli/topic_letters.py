"""`hitl dead-letters` on a cluster: the topic of dead letters, to look at and to send again."""

from __future__ import annotations

import asyncio
import re

from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.adapters.system import SystemClock
from hitl_events.client.calls import Call, Calls
from hitl_events.client.cluster import WAIT_S
from hitl_events.client.letters import DeadLetterTopic, Letter
from hitl_events.errors import InvalidInput
from hitl_events.ports import DeadLetter, InboundKind
from hitl_services.cli.calling import called
from hitl_services.cli.letter_pages import as_json, page, table, whole_as_json
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.failure import DONE
from hitl_services.text import quoted

LISTED = 1000
"""Unless `--limit` says otherwise: some pages; the topic may hold 90 days of them."""
_PLACE = re.compile(r"([0-9]{1,9}):([0-9]{1,18})")


def listed(screen: Screen, settings: Settings, cluster: KafkaSettings, limit: int | None) -> int:
    """The newest first; what they say is not shown, because it may hold a token."""
    letters = asyncio.run(_newest(cluster, limit or LISTED))
    if settings.json:
        screen.document([as_json(one.number, one.letter, one.value_bytes) for one in letters])
    elif letters:
        numbered = [(each.number, each.letter) for each in letters]
        screen.page(table(numbered, SystemClock().now(), screen.width))
    else:
        screen.page([[f"no dead letters in {Topics(cluster.prefix).dead_letters}"]])
    return DONE


def show(screen: Screen, settings: Settings, cluster: KafkaSettings, named: str) -> int:
    """One of them whole."""
    found = asyncio.run(_found(cluster, named))
    if settings.json:
        screen.document(whole_as_json(found.number, found.letter))
    else:
        screen.page(page(found.number, found.letter))
    return DONE


def replay(screen: Screen, settings: Settings, cluster: KafkaSettings, named: str) -> int:
    """Publish one again, as it was, where it came from; what is refused again is a new one."""
    letter = asyncio.run(_found(cluster, named)).letter
    kind = _kind(letter, Topics(cluster.prefix))

    def again(calls: Calls) -> Call:
        return calls.again(
            kind, letter.key, None if letter.is_null else letter.value, letter.headers
        )

    return called(screen, settings, again, WAIT_S)


def cannot_discard() -> InvalidInput:
    """A topic takes nothing back."""
    message = "expected a data directory whose dead letters can be discarded, found a cluster"
    return InvalidInput(f"{message}: its topic forgets them by its retention")


def _kind(letter: DeadLetter, topics: Topics) -> InboundKind:
    topic = letter.source.topic if letter.source else "none"
    if topic not in topics.inbound:
        wanted = f"expected a dead letter of {' or '.join(topics.inbound)}"
        raise InvalidInput(f"{wanted}, found one of {quoted(topic)}: publish it yourself")
    return "decision" if topic == topics.decisions else "command"


async def _newest(cluster: KafkaSettings, limit: int) -> list[Letter]:
    async with DeadLetterTopic.open(cluster) as topic:
        return await topic.newest(limit)


async def _found(cluster: KafkaSettings, named: str) -> Letter:
    place = _PLACE.fullmatch(named)
    found = None
    if place is not None:
        async with DeadLetterTopic.open(cluster) as topic:
            found = await topic.at(int(place[1]), int(place[2]))
    if found is None:
        wanted = "expected a dead letter as PARTITION:OFFSET (`hitl dead-letters list` shows them)"
        raise InvalidInput(f"{wanted}, found {quoted(named)}")
    return found
