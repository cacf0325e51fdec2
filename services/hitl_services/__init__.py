"""The processes around the library: wiring only."""
