"""Whatever does I/O or knows a driver: each adapter proves its port by the checks of `testing`."""
