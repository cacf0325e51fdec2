"""The place of a read model: read from its URL, opened, and refused in one line without secrets."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from hitl_events.adapters.readmodel.address import (
    PostgresPlace,
    SqlitePlace,
    place_of,
    secrets_in,
)
from hitl_events.adapters.readmodel.opening import open_read_model
from hitl_events.errors import InvalidInput, LogUnavailable

SECRET = "s3cr%2Fet"


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///a/b.db", "a/b.db"), ("sqlite:////a/b c?d.db", "/a/b c?d.db")],
)
def test_three_strokes_are_relative_four_absolute(url: str, path: str) -> None:
    """The path is what stands after `sqlite:///`, as it stands there."""
    assert place_of(url) == SqlitePlace(path=Path(path))


@pytest.mark.parametrize(
    ("url", "expected", "schema"),
    [
        ("postgresql://h/d", "postgresql://h/d", "hitl"),
        ("postgres://h/d?schema=my_1", "postgres://h/d", "my_1"),
        ("postgresql://h/d?a=1&schema=x&b=2", "postgresql://h/d?a=1&b=2", "x"),
        ("postgresql://a:p?q@h/d?user=b@c&schema=x", "postgresql://a:p?q@h/d?user=b@c", "x"),
    ],
)
def test_the_schema_is_ours_the_rest_is_that_of_postgresql(
    url: str, expected: str, schema: str
) -> None:
    """`schema` is taken out of the URL; `hitl` without one."""
    assert place_of(url) == PostgresPlace(url=expected, schema=schema)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "read-model.db",
        "sqlite://a.db",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///a/",
        "sqlite:///a\0b",
        "sqlite:///:memory:\n",
        f"mysql://ann:{SECRET}@h/d",
        f"postgresql:/ann:{SECRET}@h/d",
        f"ann:{SECRET}@h",
        f"postgresql://ann:{SECRET}@h/d?schema=",
        f"postgresql://ann:{SECRET}@h/d?schema=pg_x",
        f"postgresql://ann:{SECRET}@h/d?schema=a%22;drop",
        f"postgresql://ann:{SECRET}@h/d?schema={'a' * 64}",
        f"postgresql://ann:{SECRET}%zz@h/d",
        f"postgresql://ann:{SECRET}@h/d?nonsense=1",
        "postgresql://ann:s3cr/et@h/d",
        "postgresql://ann:e@s3cret@h/d",
        "postgresql://ann:e?@s3cr/et@h/d",
    ],
)
def test_what_is_no_place_is_refused_in_one_line(url: str) -> None:
    """The line names the variable and shows nothing that may be a password."""
    with pytest.raises(InvalidInput, match="HITL_READ_MODEL") as caught:
        open_read_model(url)

    assert "\n" not in str(caught.value)
    assert "s3cr" not in str(caught.value)


def test_passwords_are_found_wherever_they_stand() -> None:
    """As written and as sent, before the host and among the parameters."""
    url = "postgresql://ann:a%40b@h/d?sslmode=require&password=c&sslpassword=d%20e"

    assert secrets_in(url) == {"a%40b", "a@b", "c", "d%20e", "d e"}
    assert secrets_in("postgresql://ann:a?b@h/d") == {"a?b"}
    assert secrets_in("postgresql://ann@h/d") == secrets_in("sqlite:///x") == set()


def test_a_file_is_made_where_one_writes_only(tmp_path: Path) -> None:
    """Opened for writing it is there; opened for reading it is not made."""
    url = f"sqlite:///{tmp_path / 'folder' / 'model.db'}"
    with pytest.raises(LogUnavailable):
        open_read_model(url, writable=False)

    open_read_model(url).close()
    database = open_read_model(url, writable=False)
    assert database.rows("SELECT count(*) FROM runs") == [(0,)]
    database.close()


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    """What is no read model stays as it is."""
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE theirs (id)")
    other.close()

    with pytest.raises(LogUnavailable, match="another program's database"):
        open_read_model(f"sqlite:///{tmp_path / 'other.db'}")


def test_without_the_driver_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who keeps to SQLite needs no psycopg; who does not is told its name."""
    ours = "hitl_events.adapters.readmodel.postgres"
    for name in [each for each in sys.modules if each.startswith((ours, "psycopg"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(InvalidInput, match="found no psycopg: pip install") as caught:
        open_read_model("postgresql://h/d")

    assert "'hitl-events[postgres]'" in str(caught.value)


def test_a_place_that_can_not_be_used_is_told_with_its_setting(tmp_path: Path) -> None:
    """Nobody is sent to the data directory, which a cluster does not have."""
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path / 'file' / 'm.db'}"

    with pytest.raises(LogUnavailable, match="HITL_READ_MODEL"):
        open_read_model(url)


def test_a_lock_that_cannot_be_made_is_that_of_the_read_model(tmp_path: Path) -> None:
    """Another data directory would not help: the read model may be anywhere."""
    (tmp_path / "model.db.lock").symlink_to(tmp_path / "nowhere" / "lock")

    with pytest.raises(LogUnavailable, match=r"model\.db\.lock.*HITL_READ_MODEL") as told:
        open_read_model(f"sqlite:///{tmp_path}/model.db")

    assert "HITL_DATA" not in str(told.value)
