"""How often the fault loops go round: some times in every run, as often as is promised by flag.

`HITL_KAFKA_FAULTS=long` makes all of them long; each has a variable of its own that wins over it.
The code is the same. `-s` shows what they measured.
"""

from __future__ import annotations

import os

LONG = os.environ.get("HITL_KAFKA_FAULTS", "") == "long"


def _count(name: str, short: int, long: int, *, of: str = "HITL_KAFKA_") -> int:
    return int(os.environ.get(f"{of}{name}", long if LONG else short))


KILLS = _count("KILLS", 5, 200)
"""SIGKILL of engines; 1,000 is as good."""
FREEZES = _count("FREEZES", 2, 20)
"""SIGSTOP of an engine until another has its partitions, then SIGCONT."""
BROKER_KILLS = _count("BROKER_KILLS", 1, 10)
"""SIGKILL of the only node."""
LEADER_KILLS = _count("LEADER_KILLS", 1, 5)
"""SIGKILL of one of three nodes, which leads a partition of the events."""
REBALANCES = _count("REBALANCES", 2, 10)
"""A second engine joins and leaves."""
PROJECTOR_KILLS = _count("KILLS", 2, 50, of="HITL_PROJECTOR_")
"""SIGKILL of projectors."""
GATES = _count("GATES", 400, 10_000)
"""Gates that are open meanwhile."""
