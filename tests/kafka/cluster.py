"""A Kafka cluster of our own, or one that the environment names."""

from __future__ import annotations

import base64
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.kafka.client import Client
from tests.kafka.node import BrokerEnded, Node
from tests.kafka.ports import free_ports
from tests.kafka.program import Program
from tests.kafka.properties import HOST, Ports, Shape, properties
from tests.kafka.security import ADMIN, Login, Security, make_security

FORMAT_S_MAX = 60.0
KEEPER = Path(__file__).with_name("keeper.py")


class Cluster:
    """The address and, where the nodes are ours, the power over them (numbered from 1)."""

    def __init__(
        self, bootstrap: str, nodes: tuple[Node, ...] = (), security: Security | None = None
    ) -> None:
        self.bootstrap = bootstrap
        self.tls_bootstrap = ""
        self.mutual_bootstrap = ""
        """With a certificate of the client's instead of a login."""
        self.security = security
        self._nodes = nodes
        self._keeper = _start_keeper() if nodes else None

    @property
    def is_ours(self) -> bool:
        """Whether its nodes can be killed and started."""
        return bool(self._nodes)

    def client(self, login: Login | None = None, *, tls: bool = False) -> Client:
        """An independent client (confluent-kafka); as the admin where logins are needed."""
        if self.security is None:
            return Client(self.bootstrap)
        bootstrap, authority = self.bootstrap, None
        if tls:
            bootstrap, authority = self.tls_bootstrap, self.security.authority
        return Client(bootstrap, login or ADMIN, authority)

    def kill(self, node: int = 1) -> None:
        """SIGKILL; the data stays."""
        self._forget(self._node(node).end(signal.SIGKILL))

    def terminate(self, node: int = 1) -> None:
        """SIGTERM: a clean stop; the data stays."""
        self._forget(self._node(node).end(signal.SIGTERM))

    def freeze(self, node: int = 1) -> None:
        """SIGSTOP, until `thaw`."""
        self._node(node).send(signal.SIGSTOP)

    def thaw(self, node: int = 1) -> None:
        """SIGCONT."""
        self._node(node).send(signal.SIGCONT)

    def start(self, *numbers: int) -> None:
        """Start these nodes (none named: all) together and wait until each serves."""
        nodes = [self._node(number) for number in numbers] if numbers else list(self._nodes)
        for node in nodes:
            self._tell(f"+{node.begin()}")
        for node in nodes:
            node.wait_until_it_serves()

    def stop(self) -> None:
        """Kill all nodes and drop their data; their configuration and logs stay."""
        for node in self._nodes:
            self._forget(node.end(signal.SIGKILL))
            shutil.rmtree(node.data, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """End the process that watches over us; the nodes that run end with it."""
        if self._keeper is not None:
            self._keeper.communicate(timeout=FORMAT_S_MAX)
            self._keeper = None

    def _node(self, number: int) -> Node:
        assert self._nodes, "the nodes of a named cluster are not ours"
        return self._nodes[number - 1]

    def _forget(self, group: int | None) -> None:
        if group is not None:
            self._tell(f"-{group}")

    def _tell(self, line: str) -> None:
        assert self._keeper is not None, "the cluster was stopped"
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{line}\n")
        self._keeper.stdin.flush()


def open_cluster(
    program: Program, folder: Path, *, nodes: int = 1, secured: bool = False, port: int = 0
) -> Cluster:
    """Configure, format and start; in a folder that was used before, with the data of then."""
    folder.mkdir(parents=True, exist_ok=True)
    security = make_security(folder) if secured else None
    shape = Shape(nodes=_ports(nodes, port, tls=secured), security=security)
    ours = tuple(
        Node(program, folder, number, ports.clients) for number, ports in enumerate(shape.nodes, 1)
    )
    for node in ours:
        node.configuration.write_text(properties(shape, node.number, node.data), encoding="utf-8")
    _format(ours, _cluster_id(folder), secured=secured)
    bootstrap = _addresses(shape, lambda ports: ports.clients)
    cluster = Cluster(bootstrap, ours, security)
    cluster.tls_bootstrap = _addresses(shape, lambda ports: ports.tls)
    cluster.mutual_bootstrap = _addresses(shape, lambda ports: ports.mutual)
    with ExitStack() as undo:  # also at Ctrl-C: a half-started cluster has no owner
        undo.callback(cluster.stop)
        cluster.start()
        undo.pop_all()
    return cluster


def _ports(nodes: int, first: int, *, tls: bool) -> tuple[Ports, ...]:
    """Free ones; those of the clients from `first` on, if that is given."""
    free = iter(free_ports(4 * nodes))
    return tuple(
        Ports(
            clients=first + number if first else next(free),
            control=next(free),
            tls=next(free) if tls else None,
            mutual=next(free) if tls else None,
        )
        for number in range(nodes)
    )


def _addresses(shape: Shape, port: Callable[[Ports], int | None]) -> str:
    return ",".join(f"{HOST}:{port(ports)}" for ports in shape.nodes)


def _cluster_id(folder: Path) -> str:
    """An id as Kafka writes it, the same for all nodes and for as long as the data is kept."""
    path = folder / "cluster-id"
    if not path.exists():
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        path.write_text(text.replace("-", "A", 1) if text.startswith("-") else text)
    return path.read_text()


def _format(nodes: tuple[Node, ...], cluster_id: str, *, secured: bool) -> None:
    admin = f"SCRAM-SHA-512=[name={ADMIN.name},password={ADMIN.password}]"
    options = ["--add-scram", admin] if secured else []
    begun = [node.format(cluster_id, *options) for node in nodes]
    for process in begun:
        _, said = process.communicate(timeout=FORMAT_S_MAX)
        if process.returncode != 0:
            raise BrokerEnded(f"expected a data folder, found: {said.decode()[-1000:]}")


def _start_keeper() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(KEEPER)],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
