"""Who may do what on a secured broker: a refusal is named, soon, and without secrets."""

from __future__ import annotations

import asyncio
import gc
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from hitl_events.adapters.kafka.access import check_access
from hitl_events.adapters.kafka.acls import Acl, Process, acls
from hitl_events.adapters.kafka.admin import Admin, TopicState
from hitl_events.adapters.kafka.ends import Ends
from hitl_events.adapters.kafka.follower import Follower
from hitl_events.adapters.kafka.reader import Reader
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.secret import Secret
from hitl_events.adapters.kafka.settings import KafkaSettings, Sasl, SaslMechanism, Tls
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.adapters.kafka.writer import Consumed, TransactionalWriter
from hitl_events.errors import AccessDenied, AuthenticationFailed, LogUnavailable
from tests.integration.kafka_made import event, made, settings_of, started
from tests.kafka.admin import Right
from tests.kafka.cluster import Cluster
from tests.kafka.security import ADMIN, Login

SOON_S_MAX = 5.0
PASSWORD = "a-secret-nobody-may-see"
RESOURCES = {"topic": "TOPIC", "group": "GROUP", "transactional id": "TRANSACTIONAL_ID"}

# What an engine needs, one by one: index of the right, index of its operation.
ENGINE_RIGHTS = [
    (index, operation)
    for index, acl in enumerate(acls("engine", Topics("x"), "x"))
    for operation in acl.operations
]


def right(acl: Acl, operation: str) -> Right:
    """As the independent client writes it."""
    return Right(
        resource=RESOURCES[acl.resource],
        name=acl.name,
        operation=operation,
        prefixed=acl.prefixed,
    )


def user_with(secured: Cluster, prefix: str, needed: tuple[Acl, ...]) -> Login:
    """A new user who may do exactly that."""
    admin = secured.client().admin
    user = admin.add_user(Login(name=f"{prefix}-user", password=PASSWORD))
    admin.allow(user, *(right(acl, each) for acl in needed for each in acl.operations))
    return user


@contextmanager
def soon() -> Generator[None]:
    """What is in here may not hang."""
    begun_s = time.monotonic()
    yield
    assert time.monotonic() - begun_s < SOON_S_MAX


async def until_allowed(settings: KafkaSettings, needed: tuple[Acl, ...]) -> None:
    """Rights reach the broker a moment after they were given."""
    async with asyncio.timeout(30):
        while True:
            with suppress(LogUnavailable):
                return await check_access(settings, needed)


async def until_denied(settings: KafkaSettings, needed: tuple[Acl, ...]) -> AccessDenied:
    """And leave it a moment after they were taken away."""
    async with asyncio.timeout(30):
        while True:
            try:
                await check_access(settings, needed)
            except AccessDenied as denied:
                return denied


@pytest.mark.parametrize("process", ["engine", "api", "cli", "publisher", "auditor"])
async def test_a_process_starts_with_exactly_its_rights(
    secured: Cluster, prefix: str, process: Process
) -> None:
    """What the command prints is enough."""
    admin_settings = settings_of(secured, prefix)
    topics = await made(admin_settings)
    needed = acls(process, topics, admin_settings.group)
    user = user_with(secured, prefix, needed)

    await until_allowed(settings_of(secured, prefix, user), needed)


@pytest.mark.parametrize(("index", "operation"), ENGINE_RIGHTS)
async def test_a_missing_right_is_told_at_start(
    secured: Cluster, prefix: str, index: int, operation: str
) -> None:
    """Each right of the engine, taken away alone: which one, on what, in time."""
    admin_settings = settings_of(secured, prefix)
    topics = await made(admin_settings)
    needed = acls("engine", topics, admin_settings.group)
    user = user_with(secured, prefix, needed)
    settings = settings_of(secured, prefix, user)
    await until_allowed(settings, needed)

    missing = needed[index]
    secured.client().admin.take_away(user, right(missing, operation))
    denied = await until_denied(settings, needed)

    assert (denied.resource, denied.operation) == (missing.resource, operation)
    assert denied.name == missing.name + ("*" if missing.prefixed else "")
    with soon(), pytest.raises(AccessDenied):
        await check_access(settings, needed)


@pytest.mark.parametrize(
    ("index", "operation", "told"),
    [
        (2, "WRITE", "WRITE on topic"),
        (5, "WRITE", "WRITE on topic"),
        (6, "READ", "READ on group"),
        (7, "WRITE", "WRITE on transactional id"),
    ],
    ids=["events", "dead-letters", "group", "transactional-id"],
)
async def test_a_right_that_is_lost_is_told_by_the_writer(
    secured: Cluster,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
    index: int,
    operation: str,
    told: str,
) -> None:
    """A transaction without the right ends in time, in the same typed error, and is not there."""
    admin_settings = settings_of(secured, prefix)
    topics = await made(admin_settings)
    needed = acls("engine", topics, admin_settings.group)
    user = user_with(secured, prefix, needed)
    settings = settings_of(secured, prefix, user)
    await until_allowed(settings, needed)
    secured.client().admin.take_away(user, right(needed[index], operation))
    await until_denied(settings, needed)
    letter = replace(event(topics, "1"), place=Place(topics.dead_letters, 0))

    with soon(), pytest.raises(AccessDenied, match=told):
        async with started(settings) as writer:
            offsets = {Place(topics.decisions, 0): 1}
            await writer.transaction(
                [event(topics, "1"), letter], Consumed(group=settings.group, offsets=offsets)
            )

    async with started(admin_settings):
        assert secured.client().read(topics.events) == []
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_reading_without_the_right_is_told(secured: Cluster, prefix: str) -> None:
    """DESCRIBE without READ: offsets are known, records are refused; without both, neither."""
    admin_settings = settings_of(secured, prefix)
    topics = await made(admin_settings)
    async with started(admin_settings) as writer:
        await writer.transaction([event(topics, "1")])
    async with started(admin_settings):
        pass
    place = Place(topics.events, 0)
    describes = Acl(resource="topic", name=topics.events, operations=("DESCRIBE",))
    user = user_with(secured, prefix, (describes,))
    settings = settings_of(secured, prefix, user)
    await until_allowed(settings, (describes,))

    with soon(), pytest.raises(AccessDenied, match=f"READ on topic '{topics.events}'"):
        async with Reader(settings) as reader:
            await anext(reader.read(place))
    secured.client().admin.take_away(user, right(describes, "DESCRIBE"))
    await until_denied(settings, (describes,))
    with soon(), pytest.raises(AccessDenied, match=f"DESCRIBE on topic '{topics.events}'"):
        async with Ends(settings) as ends:
            await ends.stable([place])


async def test_a_topic_that_may_not_be_seen_is_told_with_the_right_to_it(
    secured: Cluster, prefix: str
) -> None:
    """With the one that is printed for a process, not with the one to see topics alone."""
    topics = await made(settings_of(secured, prefix))
    other = Acl(resource="topic", name=topics.replies, operations=("READ",))
    settings = settings_of(secured, prefix, user_with(secured, prefix, (other,)))
    await until_allowed(settings, (other,))

    async with Follower(settings) as follower:
        with soon(), pytest.raises(AccessDenied, match=f"READ on topic '{topics.events}'"):
            await follower.places(topics.events)
        with soon(), pytest.raises(AccessDenied, match=f"WRITE on topic '{topics.decisions}'"):
            await follower.places(topics.decisions, "WRITE")


async def test_making_topics_needs_the_admins_rights(secured: Cluster, prefix: str) -> None:
    """With them it works and can be repeated; without CREATE the topic is named."""
    topics = Topics(prefix)
    needed = acls("admin", topics, "")
    user = user_with(secured, prefix, needed)
    settings = settings_of(secured, prefix, user)

    async with asyncio.timeout(30):
        while True:
            with suppress(AccessDenied):
                states = await _create(settings)
                break
    assert all(each.partitions == 1 for each in states)
    other = replace(settings, prefix=f"{prefix}x")
    with soon(), pytest.raises(AccessDenied, match=f"on topic '{prefix}x.commands'"):
        await _create(other)


@pytest.mark.parametrize(
    ("name", "password", "mechanism", "told"),
    [
        ("admin", "wrong", "SCRAM-SHA-512", "invalid credentials"),
        ("nobody", PASSWORD, "SCRAM-SHA-512", "invalid credentials"),
        ("admin", "wrong", "PLAIN", "Invalid username or password"),
        ("admin", PASSWORD, "SCRAM-SHA-256", "does not support"),
    ],
)
async def test_who_is_not_let_in_hears_why(
    secured: Cluster,
    prefix: str,
    name: str,
    password: str,
    mechanism: SaslMechanism,
    told: str,
) -> None:
    """The broker's own words, the variables to check, and no secret anywhere in the traceback."""
    sasl = Sasl(mechanism=mechanism, username=name, password=Secret(password))
    settings = replace(settings_of(secured, prefix), sasl=sasl)

    with soon(), pytest.raises(AuthenticationFailed, match=told) as caught:
        await TransactionalWriter(settings, "x").start()
    with soon(), pytest.raises(AuthenticationFailed, match="HITL_KAFKA_SASL"):
        async with Admin(settings):
            pass

    assert password not in "".join(traceback.format_exception(caught.value)).replace("wrong:", "")
    assert password not in repr(settings)


async def test_another_protocol_is_told_in_time(secured: Cluster, prefix: str) -> None:
    """Plain text to a broker that wants SASL, TLS to one without: the variable is named."""
    plain = KafkaSettings(bootstrap=tuple(secured.bootstrap.split(",")), prefix=prefix)
    tls = replace(settings_of(secured, prefix), security_protocol="SASL_SSL")

    for settings in (plain, tls):
        with soon(), pytest.raises(LogUnavailable, match="HITL_KAFKA_SECURITY_PROTOCOL"):
            async with Admin(settings):
                pass


async def test_tls_with_the_authority_of_the_broker(secured: Cluster, prefix: str) -> None:
    """With its file the connection is made, without it the certificate is not believed."""
    assert secured.security is not None
    encrypted = replace(
        settings_of(secured, prefix),
        security_protocol="SASL_SSL",
        bootstrap=(secured.tls_bootstrap,),
        tls=Tls(cafile=str(secured.security.authority)),
    ).checked()

    assert all(each.created for each in await _create(encrypted))
    with soon(), pytest.raises(AuthenticationFailed, match="certificate verify failed"):
        await _create(replace(encrypted, tls=Tls()))


async def test_a_token_from_a_file(secured: Cluster, prefix: str, tmp_path: Path) -> None:
    """OAUTHBEARER: the file's token logs in; without the file the error names it."""
    path = tmp_path / "token"
    sasl = Sasl(mechanism="OAUTHBEARER", token_file=str(path))
    settings = replace(settings_of(secured, prefix), sasl=sasl).checked()

    with soon(), pytest.raises(AuthenticationFailed, match="No such file"):
        await _create(settings)
    path.write_text(_unsigned_token(ADMIN.name), encoding="ascii")

    assert all(each.created for each in await _create(settings))


def _unsigned_token(name: str) -> str:
    import base64
    import json

    head = {"alg": "none"}
    claims = {"sub": name, "iat": time.time() - 1, "exp": time.time() + 600}
    parts = (json.dumps(each).encode() for each in (head, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


async def _create(settings: KafkaSettings) -> tuple[TopicState, ...]:
    async with Admin(settings) as admin:
        return await admin.create(1)
