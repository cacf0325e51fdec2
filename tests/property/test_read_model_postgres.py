"""On PostgreSQL the read model is the same function of the runs' events as in a file."""

from __future__ import annotations

import os
import secrets
from random import Random

from hypothesis import given, settings, strategies as st

from hitl_events.adapters.readmodel.contents import digest_of
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.opening import open_read_model
from hitl_events.testing.checks.read_model_samples import Told, Writer, opened
from tests.contract.places import sqlite_place
from tests.postgres.server import Server

EXAMPLES = int(os.environ.get("HITL_POSTGRES_HISTORIES", "60")) // 6


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_both_databases_have_one_digest(postgres: Server, seed: int) -> None:
    """The same histories, mixed and cut in other ways: one digest."""
    told = Told(seed, count=6)
    with sqlite_place() as place, opened(place) as model:
        Writer(model).write(told.log, piece=13)
        expected = digest_of(model.database)

    found = ReadModel(open_read_model(f"{postgres.url}?schema=t{secrets.token_hex(5)}"))
    for number, values in enumerate(told.partitions(2)):
        Writer(found, number).write(values, piece=Random(seed).choice((1, 9, 500)))

    assert digest_of(found.database) == expected
    found.close()
