"""Which store a command reads: that of the data directory, or what is folded of a cluster."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager

from hitl_events.adapters.directory import DataDirectory
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, embedded_log, token_keys


@contextmanager
def opened(
    screen: Screen,
    settings: Settings,
    run_ids: Collection[str] | None = None,
    *,
    must_exist: bool = False,
) -> Generator[Store]:
    """What is asked for: of a cluster only these runs are read, all if None."""
    if settings.cluster is not None:
        from hitl_services.cli.topic_store import folded

        with folded(screen, settings, settings.cluster, run_ids) as store:
            yield store
        return
    with embedded_log(settings, must_exist=must_exist) as log:
        has_log = DataDirectory(settings.directory).has_log()
        place = str(settings.directory)
        yield Store(log, token_keys(settings), place=place, empty=not has_log)
