"""The async shell: takes inputs, commits batches, runs steps, fires timers."""
