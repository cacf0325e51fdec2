"""`hitl-engine`: owns partitions, takes commands and decisions, runs steps, times gates out."""
