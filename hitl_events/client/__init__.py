from hitl_events.client.calls import Call, Calls
from hitl_events.client.cluster import Answered, ClusterClient, Unanswered
from hitl_events.client.topic import EventTopic

__all__ = ["Answered", "Call", "Calls", "ClusterClient", "EventTopic", "Unanswered"]
