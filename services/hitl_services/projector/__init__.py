"""`hitl-projector`: folds the events of a cluster into the read model."""
