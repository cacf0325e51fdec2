from hitl_events.adapters.memory.blobs import MemoryBlobs
from hitl_events.adapters.memory.log import MemoryLog
from hitl_events.adapters.memory.storage import Crashed

__all__ = ["Crashed", "MemoryBlobs", "MemoryLog"]
