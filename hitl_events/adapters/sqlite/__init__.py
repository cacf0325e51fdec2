from hitl_events.adapters.sqlite.events import Damage
from hitl_events.adapters.sqlite.log import SqliteLog

__all__ = ["Damage", "SqliteLog"]
