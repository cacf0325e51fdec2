"""The command line `hitl`."""
