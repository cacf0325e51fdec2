from hitl_events.clustered.cluster import Cluster as Cluster
from hitl_events.clustered.keeper import Watcher as Watcher
