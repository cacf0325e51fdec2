"""Settings of processes: one parser, one line that names the variable."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from hitl_events.errors import InvalidInput
from hitl_services.settings import NAMES, LogSettings, ProcessSettings, lookup, process_settings

KEY = "k" * 32


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of(**variables: str) -> ProcessSettings:
    return process_settings(lookup(environment=variables))


def test_an_option_wins_over_the_environment_over_the_file(folder: Path) -> None:
    """Each source counts only where the one before it says nothing; empty is nothing."""
    (folder / "hitl.toml").write_text('group = "file"\ndata = "file"\n', encoding="utf-8")
    look = lookup({"HITL_DATA": "option"}, {"HITL_DATA": "env", "HITL_RECIPES": "env"})

    found = [look("HITL_DATA"), look("HITL_RECIPES"), look("HITL_GROUP"), look("HITL_READ_MODEL")]

    assert found == ["option", "env", "file", None]
    assert lookup({}, {"HITL_DATA": ""})("HITL_DATA") == "file"


def test_without_any_setting_there_are_defaults() -> None:
    """Logs are JSON from info on, there is no port, and the state lies beneath the data."""
    found = of()

    assert found.log == LogSettings(format="json", level="info")
    assert found.metrics_port is None
    assert (found.directory, found.state_dir) == (Path(".hitl"), Path(".hitl/state/engine"))
    assert found.ended_keep == timedelta(days=30)
    assert found.read_model is None


def test_the_state_lies_under_the_name_of_the_instance() -> None:
    """`$HITL_DATA/state/<instance>`, whatever is in the name; `HITL_STATE_DIR` wins."""
    named = of(HITL_DATA="/d", HITL_GROUP_INSTANCE_ID="../a b:1")

    assert named.state_dir == Path("/d/state/_a_b_1")
    assert of(HITL_STATE_DIR="/s", HITL_GROUP_INSTANCE_ID="x").state_dir == Path("/s")


@pytest.mark.parametrize(
    ("text", "length"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800), ("1.5h", 5_400)],
)
def test_a_duration_is_seconds_or_has_a_unit(text: str, length: float) -> None:
    """Seconds, or `s`, `m`, `h`, `d`."""
    assert of(HITL_ENDED_KEEP=text).ended_keep == timedelta(seconds=length)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HITL_ENDED_KEEP", "soon"),
        ("HITL_METRICS_PORT", "http"),
        ("HITL_METRICS_PORT", "65536"),
        ("HITL_METRICS_PORT", "-1"),
        ("HITL_LOG_FORMAT", "xml"),
        ("HITL_LOG_LEVEL", "loud"),
        ("HITL_DATA", "a\0b"),
        ("HITL_READ_MODEL", "read-model.db"),
        ("HITL_READ_MODEL", "mysql://ann:short@host/db"),
        ("HITL_READ_MODEL", "sqlite:///"),
        ("HITL_READ_MODEL", "postgresql://ann:short@host/db?schema=A"),
        ("HITL_TOKEN_KEY", "short"),
        ("HITL_TOKEN_KEY", ""),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(name: str, text: str) -> None:
    """Whoever reads it knows what to mend, and no key is in it."""
    with pytest.raises(InvalidInput, match=name) as caught:
        of(**{name: text})

    assert "\n" not in str(caught.value)
    assert "short" not in str(caught.value)


def test_on_a_cluster_a_token_key_is_required() -> None:
    """Every process of a cluster needs the same key: none is made up."""
    with pytest.raises(InvalidInput, match="HITL_TOKEN_KEY, a text of at least 32 bytes"):
        of(HITL_KAFKA_BOOTSTRAP="broker:9092")

    assert of(HITL_KAFKA_BOOTSTRAP="broker:9092", HITL_TOKEN_KEY=KEY).token_keys == (KEY.encode(),)


def test_the_page_about_operations_lists_every_setting() -> None:
    """Whatever can be set is in its table, and nothing else."""
    page = Path(__file__).parents[3].joinpath("docs", "operations.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (`HITL_[A-Z_`, ]+`) \|", page, re.MULTILINE)

    assert {name for cell in listed for name in re.findall(r"HITL_[A-Z_]+", cell)} == NAMES


def test_secrets_are_known_and_not_shown() -> None:
    """What no log line may hold is there to be masked, and in no repr."""
    found = of(
        HITL_TOKEN_KEY=KEY,
        HITL_TOKEN_KEYS_OLD=f"{KEY}1",
        HITL_KAFKA_SASL_PASSWORD="pass",
        HITL_SCHEMA_REGISTRY="http://ann:s%40crt@registry:8081",
        HITL_READ_MODEL="postgresql://ann:p%2Fcrt@host/db?sslpassword=qcrt",
    )

    shown = {"pass", "s%40crt", "s@crt", "p%2Fcrt", "p/crt", "qcrt"}
    assert set(found.secrets) == {KEY, f"{KEY}1", *shown}
    assert KEY not in repr(found)
    assert "crt" not in repr(found)


@pytest.mark.parametrize(
    ("text", "folder"),
    [("/srv/b", "/srv/b"), ("b", "b"), ("file:///srv/a%20b", "/srv/a b"), ("", None)],
)
def test_a_place_for_blobs_is_a_folder_or_its_url(text: str, folder: str | None) -> None:
    """A path, or `file:///`; without one there is none."""
    assert of(HITL_BLOBS=text).blobs == (None if folder is None else Path(folder))


@pytest.mark.parametrize("text", ["s3://bucket/x", "file://host/x", "file:x://y", "a\0b"])
def test_another_place_for_blobs_is_refused(text: str) -> None:
    """One line, before anything is opened."""
    with pytest.raises(InvalidInput, match="HITL_BLOBS"):
        of(HITL_BLOBS=text)


@pytest.mark.parametrize(
    ("text", "limit"), [("", 262_144), ("1024", 1024), ("1k", 1024), ("880k", 901_120)]
)
def test_a_limit_of_blobs_is_bytes_or_kibibytes(text: str, limit: int) -> None:
    """256 KiB unless somebody says otherwise."""
    assert of(HITL_BLOB_LIMIT=text).blob_limit == limit


@pytest.mark.parametrize("text", ["0", "1023", "881k", "-1", "1M", "k", "1 k", "99999999"])
def test_a_limit_that_makes_no_sense_is_refused(text: str) -> None:
    """Neither a file for each word nor an event that no topic takes."""
    with pytest.raises(InvalidInput, match="1024 to 901120 bytes as HITL_BLOB_LIMIT"):
        of(HITL_BLOB_LIMIT=text)
