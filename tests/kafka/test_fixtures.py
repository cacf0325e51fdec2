"""The brokers of the tests themselves."""

from __future__ import annotations

import pytest

from tests.kafka.admin import Right
from tests.kafka.client import KafkaException, NotPublished
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing
from tests.kafka.security import ADMIN, Login


def test_what_is_published_is_read(broker: Cluster, prefix: str) -> None:
    """The broker serves: what one client publishes another reads, in order, with its headers."""
    client = broker.client()
    client.admin.create_topic(prefix, 2)

    placed = client.publish(
        Outgoing(topic=prefix, partition=1, key=b"k", value=b"1", headers=(("h", b"x"),)),
        Outgoing(topic=prefix, partition=1, value=None),
    )

    assert [each.offset for each in placed] == [0, 1]
    assert [(r.key, r.value, r.headers) for r in client.read(prefix)] == [
        (b"k", b"1", (("h", b"x"),)),
        (None, None, ()),
    ]


def test_read_committed_ends_at_an_open_transaction(broker: Cluster, prefix: str) -> None:
    """The reader sees what is committed only: not the open, not the aborted."""
    client = broker.client()
    client.admin.create_topic(prefix)
    producer = client.producer(transactional_id=prefix)
    producer.init_transactions(30)

    producer.begin_transaction()
    producer.produce(prefix, b"aborted")
    producer.flush(30)
    assert client.read(prefix) == []
    assert client.admin.end_offsets(prefix) == {0: 0}
    assert client.admin.end_offsets(prefix, committed=False) == {0: 1}
    producer.abort_transaction(30)
    producer.begin_transaction()
    producer.produce(prefix, b"committed")
    producer.commit_transaction(30)

    assert [record.value for record in client.read(prefix)] == [b"committed"]
    assert len(client.read(prefix, committed=False)) == 2


def test_a_killed_broker_comes_back_with_its_data(broker: Cluster, prefix: str) -> None:
    """After SIGKILL, and after SIGTERM, the same node serves what it had."""
    if not broker.is_ours:
        pytest.skip("the named cluster is not ours to kill")
    client = broker.client()
    client.admin.create_topic(prefix)
    client.publish(Outgoing(topic=prefix, value=b"1"))

    broker.kill()
    broker.start()
    broker.terminate()
    broker.start()

    assert [record.value for record in client.read(prefix)] == [b"1"]


def test_three_nodes_serve_without_one(three_nodes: Cluster, prefix: str) -> None:
    """With one of three nodes killed, records are still taken, by another leader."""
    client = three_nodes.client()
    client.admin.create_topic(prefix)
    client.publish(Outgoing(topic=prefix, value=b"1"))
    leader = client.admin.leaders(prefix)[0]

    three_nodes.kill(leader)
    client.publish(Outgoing(topic=prefix, value=b"2"))

    assert client.admin.leaders(prefix)[0] not in {leader, -1}
    three_nodes.start(leader)
    assert [record.value for record in client.read(prefix)] == [b"1", b"2"]


def test_a_user_may_do_what_was_allowed(secured: Cluster, prefix: str) -> None:
    """A new user may do nothing, then what the admin allows, then nothing again."""
    admin = secured.client().admin
    admin.create_topic(prefix)
    user = admin.add_user(Login(name=f"{prefix}-user", password="secret of the user"))
    writes = Right(resource="TOPIC", name=prefix, operation="WRITE")
    record = Outgoing(topic=prefix, value=b"1")

    with pytest.raises(NotPublished, match="authorization"):
        secured.client(user).publish(record)
    admin.allow(user, writes)
    assert secured.client(user).publish(record)[0].offset == 0
    admin.take_away(user, writes)
    with pytest.raises(NotPublished, match="authorization"):
        secured.client(user).publish(record)


@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "tls"])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN", "OAUTHBEARER"])
def test_each_mechanism_logs_in(secured: Cluster, prefix: str, mechanism: str, tls: bool) -> None:
    """The admin gets in by every mechanism, on both listeners."""
    login = Login(name=ADMIN.name, password=ADMIN.password, mechanism=mechanism)
    client = secured.client(login, tls=tls)

    client.admin.create_topic(prefix)

    assert prefix in client.admin.topics()


def test_a_wrong_password_is_refused(secured: Cluster) -> None:
    """The secured broker lets nobody in who cannot show a password."""
    client = secured.client(Login(name=ADMIN.name, password="wrong"))

    with pytest.raises(KafkaException):
        client.admin.topics(within_s=2)


def test_a_frozen_broker_goes_on(broker: Cluster, prefix: str) -> None:
    """SIGSTOP holds a node up, SIGCONT lets it go on; a frozen one can be killed."""
    if not broker.is_ours:
        pytest.skip("the named cluster is not ours to stop")
    client = broker.client()
    client.admin.create_topic(prefix)

    broker.freeze()
    broker.thaw()

    assert client.publish(Outgoing(topic=prefix, value=b"1"))[0].offset == 0
