from hitl_events.adapters.inbound.confluent import Registry, WriterSchemas
from hitl_events.adapters.inbound.forms import Schemas
from hitl_events.adapters.inbound.read import read_inbound
from hitl_events.adapters.inbound.refused import RECORD_BYTES_MAX
from hitl_events.adapters.inbound.write import command_json, decision_json
from hitl_events.domain.refusals import Refused

__all__ = [
    "RECORD_BYTES_MAX",
    "Refused",
    "Registry",
    "Schemas",
    "WriterSchemas",
    "command_json",
    "decision_json",
    "read_inbound",
]
