"""Which store a command reads: that of the data directory, or what is folded of a cluster."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from hitl_events.adapters.directory import DataDirectory
from hitl_events.errors import InvalidInput
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, blobs_of, embedded_log, token_keys

if TYPE_CHECKING:
    from hitl_events.adapters.readmodel.targets import Target

MODEL_FILE = "read-model.db"
"""The read model of a data directory; `hitl rebuild` makes it."""


@contextmanager
def opened(
    screen: Screen,
    settings: Settings,
    run_ids: Collection[str] | None = None,
    *,
    must_exist: bool = False,
    from_model: bool = False,
) -> Generator[Store]:
    """What is asked for: of a cluster only these runs are read, all if None.

    `from_model`: the read model will do, where there is one.
    """
    if settings.cluster is not None:
        if from_model and settings.read_model is not None:
            from hitl_services.cli.model_store import of_cluster

            with of_cluster(settings, settings.read_model) as store:
                yield store
            return
        from hitl_services.cli.topic_store import folded

        with folded(screen, settings, settings.cluster, run_ids) as store:
            yield store
        return
    with embedded_log(settings, must_exist=must_exist) as log:
        has_log = DataDirectory(settings.directory).has_log()
        place = str(settings.directory)
        keys, blobs = partial(token_keys, settings), blobs_of(settings)
        store = Store(log, keys, place=place, empty=not has_log, blobs=blobs)
        if not from_model or not has_log or (target := known_model(settings)) is None:
            yield store
            return
        from hitl_services.cli.model_store import beside

        with beside(screen, store, log, target) as folded_store:
            yield folded_store


def known_model(settings: Settings) -> Target | None:
    """The read model that is named or lies in the data directory; None if there is none."""
    lies_here = settings.cluster is None and (settings.directory / MODEL_FILE).exists()
    return model_target(settings) if settings.read_model is not None or lies_here else None


def model_target(settings: Settings) -> Target:
    """Where the read model is, or is to be: the place that is named, else the data directory."""
    from hitl_events.adapters.readmodel.opening import target_of
    from hitl_events.adapters.readmodel.sqlite_target import SqliteTarget

    if settings.read_model is not None:
        return target_of(settings.read_model)
    if settings.cluster is not None:
        message = "expected HITL_READ_MODEL, sqlite:///FILE or postgresql://..., for the read model"
        raise InvalidInput(f"{message} of a cluster, found none")
    return SqliteTarget(settings.directory / MODEL_FILE)
