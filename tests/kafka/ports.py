"""Free ports for brokers."""

from __future__ import annotations

import random
import socket

# Below the ports from which systems take those of clients (32768 on Linux): a client that tries to
# reach a broker that is down could else be given the broker's own port, and connect to itself.
LOWEST, HIGHEST = 20_000, 32_000
TRIES_MAX = 200


def free_ports(count: int) -> list[int]:
    """That many ports that nobody on this machine listens on."""
    found: set[int] = set()
    for _ in range(TRIES_MAX):
        if len(found) == count:
            return sorted(found)
        port = random.randint(LOWEST, HIGHEST)
        if _is_free(port):
            found.add(port)
    raise RuntimeError(f"expected {count} free ports in {LOWEST}-{HIGHEST}, found {len(found)}")


def opens(port: int) -> bool:
    """Whether somebody answers there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
