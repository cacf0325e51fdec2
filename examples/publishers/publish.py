"""HITL_TOKEN=hitl_... python publish.py approve        (pip install confluent-kafka)."""

import json
import os
import sys

from confluent_kafka import Producer

producer = Producer(
    {
        "bootstrap.servers": os.environ["HITL_KAFKA_BOOTSTRAP"],
        "acks": "all",
        "enable.idempotence": True,
    }
)
failures: list[object] = []
producer.produce(
    os.environ.get("HITL_TOPIC_PREFIX", "hitl") + ".decisions",
    json.dumps({"token": os.environ["HITL_TOKEN"], "verdict": sys.argv[1]}),
    on_delivery=lambda error, _: failures.append(error) if error else None,
)
unsent = producer.flush(10)
sys.exit(f"not published: {failures or 'no answer in 10 s'}" if failures or unsent else 0)
