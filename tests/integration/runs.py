"""Names of runs by the partition that they belong to."""

import itertools

from hitl_events.adapters.kafka.partitioning import partition_of
from hitl_events.domain.values import RunId
from tests.integration.engines import PARTITIONS


def run_ids(partition: int, count: int) -> list[str]:
    """Runs of that partition."""
    named = (f"run-{number}" for number in itertools.count())
    its = (name for name in named if partition_of(RunId(name), PARTITIONS) == partition)
    return list(itertools.islice(its, count))
