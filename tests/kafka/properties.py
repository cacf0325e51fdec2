"""What a broker of the tests is configured with."""

from __future__ import annotations

from pathlib import Path

from hitl_events.domain.values import value
from tests.kafka.security import ADMIN, BROKER, Security

HOST = "127.0.0.1"
REPLICAS = {1: (1, 1), 3: (3, 2)}
"""Per number of nodes: replicas of a topic, and how many of them must hold a record."""

MECHANISMS = ("SCRAM-SHA-512", "PLAIN", "OAUTHBEARER")
_LOGIN = "org.apache.kafka.common.security"


@value
class Ports:
    """Where one node listens."""

    clients: int
    control: int
    tls: int | None = None
    mutual: int | None = None


@value
class Shape:
    """A cluster to be: the ports of its nodes, by number from 1, and who may do what."""

    nodes: tuple[Ports, ...]
    security: Security | None = None


def properties(shape: Shape, node: int, data: Path) -> str:
    """The file that `kafka.Kafka` starts the node with."""
    replicas, in_sync = REPLICAS[len(shape.nodes)]
    held = {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": ",".join(
            f"{number}@{HOST}:{ports.control}" for number, ports in enumerate(shape.nodes, 1)
        ),
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(replicas),
        "min.insync.replicas": str(in_sync),
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": str(in_sync),
    }
    held |= _listeners(shape, node) | _QUICK
    if len(shape.nodes) > 1:
        held |= _QUICK_FAILOVER
    if shape.security is not None:
        held |= _security(shape.security)
    return "".join(f"{name}={entry}\n" for name, entry in held.items())


_QUICK = {
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "300",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    # After a SIGKILL a node registers again only when its old session has ended.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.index.size.max.bytes": "1048576",
}
_QUICK_FAILOVER = {
    "controller.quorum.election.timeout.ms": "1000",
    "controller.quorum.fetch.timeout.ms": "2000",
    "replica.lag.time.max.ms": "3000",
}


def _listeners(shape: Shape, node: int) -> dict[str, str]:
    ports, protocol = shape.nodes[node - 1], _protocol(shape)
    clients = {protocol: ports.clients}
    if ports.tls is not None:
        clients["SASL_SSL"] = ports.tls
    if ports.mutual is not None:
        clients["SSL"] = ports.mutual
    reached = [f"{name}://{HOST}:{port}" for name, port in clients.items()]
    return {
        "listeners": ",".join([*reached, f"CONTROLLER://{HOST}:{ports.control}"]),
        "advertised.listeners": ",".join(reached),
        "listener.security.protocol.map": ",".join(
            ["CONTROLLER:PLAINTEXT", *(f"{name}:{name}" for name in clients)]
        ),
        "inter.broker.listener.name": protocol,
    }


def _protocol(shape: Shape) -> str:
    return "PLAINTEXT" if shape.security is None else "SASL_PLAINTEXT"


def _security(security: Security) -> dict[str, str]:
    """Three ways to say who one is, and rights for nobody but the super users."""
    plain = f'{_LOGIN}.plain.PlainLoginModule required username="{BROKER.name}"'
    plain += f' password="{BROKER.password}"'
    plain += "".join(f' user_{login.name}="{login.password}"' for login in (BROKER, ADMIN)) + ";"
    held = {
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Nobody is anonymous but the controllers among themselves.
        "super.users": f"User:{BROKER.name};User:{ADMIN.name};User:ANONYMOUS",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(security.keys),
        # Who comes to this listener is whom the certificate names.
        "listener.name.ssl.ssl.client.auth": "required",
        "listener.name.ssl.ssl.truststore.type": "PEM",
        "listener.name.ssl.ssl.truststore.location": str(security.authority),
        "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
    }
    logins = {
        "plain": plain,
        "scram-sha-512": f"{_LOGIN}.scram.ScramLoginModule required;",
        # Believes whatever unsigned token comes: enough to try the protocol.
        "oauthbearer": f"{_LOGIN}.oauthbearer.OAuthBearerLoginModule required"
        ' unsecuredLoginStringClaim_sub="nobody";',
    }
    for listener in ("sasl_plaintext", "sasl_ssl"):
        for mechanism, login in logins.items():
            held[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"] = login
    return held
