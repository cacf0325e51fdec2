"""Every database keeps every promise of a read model: one test for each, named after it."""

import pytest

from hitl_events.testing import check_read_model
from hitl_events.testing.checks.read_model import PROMISES, keep_in
from hitl_events.testing.checks.read_model_samples import PlacePromise
from tests.contract.places import place_at, sqlite_place

NAMES = [promise.__name__ for promise in PROMISES]


@pytest.mark.parametrize("promise", PROMISES, ids=NAMES)
def test_sqlite_keeps_its_promise(promise: PlacePromise) -> None:
    """The promise holds for a file."""
    with sqlite_place() as place:
        keep_in(place, promise)


@pytest.mark.parametrize("promise", PROMISES, ids=NAMES)
def test_postgresql_keeps_its_promise(promise: PlacePromise, postgres_url: str) -> None:
    """The promise holds for a real server."""
    with place_at(postgres_url) as place:
        keep_in(place, promise)


def test_the_check_is_all_promises() -> None:
    """`check_read_model` holds a database of one's own to each of them."""
    check_read_model(sqlite_place)
