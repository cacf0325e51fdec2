from hitl_events.adapters.avro.codec import AvroCodec
from hitl_events.adapters.avro.schemas import fingerprint, name_of, schema_of

__all__ = ["AvroCodec", "fingerprint", "name_of", "schema_of"]
