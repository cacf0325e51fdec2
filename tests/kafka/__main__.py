"""A Kafka broker to try things on, until Ctrl-C: `python -m tests.kafka`, or `make broker`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from pathlib import Path

from tests.kafka import program
from tests.kafka.cluster import Cluster, open_cluster
from tests.kafka.jars import NoKafka, cache
from tests.kafka.node import BrokerEnded
from tests.kafka.security import ADMIN

PORT = 9092


def main() -> int:
    """Start, say how to reach it, and stop cleanly; the data is there the next time."""
    asked = _arguments()
    folder = asked.dir or cache() / f"broker-{asked.port}"
    if asked.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        cluster = open_cluster(
            program.find(), folder, nodes=asked.nodes, secured=asked.secured, port=asked.port
        )
        _tell(cluster, folder)
        _until_interrupted(cluster, asked.nodes)
    except (NoKafka, BrokerEnded) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _tell(cluster: Cluster, folder: Path) -> None:
    print(f"export HITL_KAFKA_BOOTSTRAP={cluster.bootstrap}", flush=True)
    if cluster.security is not None:
        print("export HITL_KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT")
        print(f"export HITL_KAFKA_SASL_MECHANISM={ADMIN.mechanism}")
        print(f"export HITL_KAFKA_SASL_USERNAME={ADMIN.name}")
        print(f"export HITL_KAFKA_SASL_PASSWORD={ADMIN.password}", flush=True)
        tls = f"SASL_SSL at {cluster.tls_bootstrap}, authority {cluster.security.authority}"
        print(tls, file=sys.stderr)
    print(f"data and logs in {folder}; Ctrl-C stops, `--fresh` begins anew", file=sys.stderr)


def _until_interrupted(cluster: Cluster, nodes: int) -> None:
    try:
        signal.pause()
    finally:
        for node in range(nodes, 0, -1):
            # The last of three has no quorum to say goodbye to, and would wait for one.
            (cluster.terminate if node == nodes else cluster.kill)(node)
        cluster.release()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make broker", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="of the first node")
    parser.add_argument("--nodes", type=int, default=1, choices=[1, 3])
    parser.add_argument("--secured", action="store_true", help="logins, rights and TLS")
    parser.add_argument("--dir", type=Path, help="where data and logs are kept")
    parser.add_argument("--fresh", action="store_true", help="forget what was there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
