from hitl_events.clustered.cluster import Cluster as Cluster
from hitl_events.clustered.joining import Member as Member, joining as joining
from hitl_events.clustered.keeper import Watcher as Watcher
from hitl_events.clustered.projecting import Projecting as Projecting, projecting as projecting
