"""Carrying the ends of steps to whoever owns their runs: what arrives, and what is given up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hitl_events.adapters.inbound import RECORD_BYTES_MAX, Refused, read_inbound
from hitl_events.adapters.inbound.proof import proven_channel
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.clustered import courier as module
from hitl_events.clustered.courier import Courier, encoded
from hitl_events.domain.commands import StepReported
from hitl_events.domain.events import Source
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.engine.inputs import StepReport
from hitl_events.errors import HitlError, LogUnavailable
from hitl_events.ports import InboundRecord
from hitl_events.testing import ManualClock

KEYS = TokenKeys([b"k" * 32])
DONE = StepReport(
    run_id=RunId("run"),
    key=("step", "send", 2),
    attempt=3,
    args_digest=bytes(range(8)),
    duration_us=17,
    output=b'{"a":[1.5,null]}',
)
FAILED = replace(DONE, output=None, error="E", message="\u00fc", retry_in=timedelta(seconds=1.5))


def read(record: Outgoing) -> Any:
    """As the engine reads it that owns the partition."""
    value = record.value or b""
    source = Source(topic=record.place.topic, partition=0, offset=1, timestamp_ms=0)
    channel = proven_channel(KEYS, record.headers, value) or "topic"
    inbound = InboundRecord(
        kind="command", value=value, headers=record.headers, channel=channel, source=source
    )
    return read_inbound(inbound, arrived_at=ManualClock().now())


class Post:
    """Takes records, after it has failed as often as it was told to."""

    def __init__(self, *failures: HitlError) -> None:
        self.sent: list[Outgoing] = []
        self.clock = ManualClock()
        self.tries = 0
        self.news = asyncio.Event()
        self._failures = list(failures)
        self.courier = Courier(self.open, lambda _: Place("hitl.commands", 5), KEYS, self.clock)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Post"]:
        self.tries += 1
        self.news.set()
        if self._failures:
            raise self._failures.pop(0)
        yield self

    async def send(self, record: Outgoing) -> int:
        self.sent.append(record)
        return len(self.sent)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.0)


@pytest.mark.parametrize("report", [DONE, FAILED, replace(DONE, output=b"null")])
async def test_a_report_arrives_as_it_was(report: StepReport) -> None:
    """At the partition of its run, under its key, with the proof of an engine."""
    post = Post()
    async with asyncio.timeout(20), post.courier as courier:
        courier.carry(report)

    (record,) = post.sent
    assert (record.place, record.key) == (Place("hitl.commands", 5), b"run")
    found = read(record)
    assert isinstance(found, StepReported)
    assert ((found.kind, found.step, found.occurrence), found.attempt) == (report.key, 3)
    names = ("run_id", "args_digest", "duration_us", "output", "error", "message", "retry_in")
    assert all(getattr(found, name) == getattr(report, name) for name in names)


async def test_a_report_without_proof_is_no_command() -> None:
    """Whoever has no token key can not say how a step ended, whatever else he knows."""
    post = Post()
    async with asyncio.timeout(20), post.courier as courier:
        courier.carry(DONE)
    (record,) = post.sent
    bare = replace(record, headers=())
    other = replace(record, value=(record.value or b"").replace(b"1.5", b"2.5"))

    for forged in (bare, other):
        found = read(forged)
        assert isinstance(found, Refused)
        assert found.reason == "invalid_command"


async def test_trouble_is_waited_out() -> None:
    """A broker that is away for a moment loses no report; they arrive in order."""
    post = Post(LogUnavailable("away"), LogUnavailable("still"))
    async with asyncio.timeout(20), post.courier as courier:
        courier.carry(DONE)
        courier.carry(FAILED)

    assert [read(record).error for record in post.sent] == ["", "E"]
    assert post.tries == 3


async def test_what_is_too_old_is_given_up() -> None:
    """After a minute the next owner has long asked or begun anew."""
    post = Post(LogUnavailable("away"))
    async with asyncio.timeout(20), post.courier as courier:
        courier.carry(DONE)
        post.clock.advance(module.WORTH_S + 1)
        await post.news.wait()

    assert post.sent == []


def test_what_no_record_can_hold_is_not_sent() -> None:
    """An output as large as that is for the log alone: it is as if the process had died."""
    assert encoded(replace(DONE, output=b'"' + b"x" * RECORD_BYTES_MAX + b'"')) is None
    assert encoded(replace(FAILED, message="\ud800")) is None


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers that are away for long do not fill the memory."""
    monkeypatch.setattr(module, "WAITING_BYTES_MAX", 300)
    post = Post()
    async with asyncio.timeout(20), post.courier as courier:
        for _ in range(5):
            courier.carry(DONE)

    assert len(post.sent) == 1
