from collections import Counter

import pytest

from hitl_events.adapters.inbound import Refused, read_inbound
from hitl_events.domain.events import Source
from hitl_events.domain.refusals import REASONS
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import EPOCH
from hitl_events.ports import InboundRecord
from hitl_events.testing.poison import Poison, Target, poisons

KEYS = TokenKeys([b"a token key of at least 32 bytes, for tests"])
SEED = bytes(range(16, 32))
TOKEN = KEYS.issue("target", 3, SEED, KEYS.kid) or ""
TARGET = Target(token=TOKEN, run_id="target", recipe="gated", keys=KEYS)
POISONS = poisons(TARGET)
NOWHERE = Source(topic="t", partition=0, offset=0, timestamp_ms=0)

by_poison = pytest.mark.parametrize(
    "poison", POISONS, ids=[f"{poison.kind}: {poison.name}" for poison in POISONS]
)


def _record(poison: Poison) -> InboundRecord:
    return InboundRecord(
        kind=poison.kind,
        key=poison.key,
        value=poison.value,
        is_null=poison.is_null,
        headers=poison.headers,
        channel="topic",
        source=NOWHERE,
    )


def test_there_are_enough_kinds_for_each_topic() -> None:
    """At least 64 for each, with unique names and every early reason among them."""
    for kind in ("decision", "command"):
        named = Counter(poison.name for poison in POISONS if poison.kind == kind)

        assert len(named) >= 64
        assert named.most_common(1)[0][1] == 1
    assert {poison.reason for poison in POISONS} <= set(REASONS)


@by_poison
def test_each_is_refused_for_its_reason(poison: Poison) -> None:
    """Reading never raises, and what it says names no token."""
    found = read_inbound(_record(poison), arrived_at=EPOCH)

    if poison.is_late:
        assert not isinstance(found, Refused), found
        return
    assert isinstance(found, Refused), found
    assert found.reason == poison.reason, found.message
    assert found.message.startswith(("expected ", "in "))
    assert TOKEN not in found.message
    assert len(found.message) < 1_000
