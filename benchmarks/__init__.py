"""What the figures of docs/performance.md are measured with: `make bench`."""
