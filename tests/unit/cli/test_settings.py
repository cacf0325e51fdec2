"""Settings: option over environment over `hitl.toml`; a bad value is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from hitl_events.errors import InvalidInput
from hitl_services.cli.settings import Asked, settings

KEY = "k" * 32


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_option_wins_over_the_environment_over_the_file(folder: Path) -> None:
    """Each source counts only where the one before it says nothing; empty is nothing."""
    (folder / "hitl.toml").write_text(
        'HITL_DATA = "file"\nrecipes = ["a", "b"]\n', encoding="utf-8"
    )
    option = Asked(directory="option", recipes=("c,d", "e"))

    assert settings(option, {"HITL_DATA": "env"}).directory == Path("option")
    assert settings(option, {}).recipes == ("c", "d", "e")
    assert settings(Asked(), {"HITL_DATA": "env", "HITL_RECIPES": "x"}).recipes == ("x",)
    assert settings(Asked(), {"HITL_DATA": "env"}).directory == Path("env")
    assert settings(Asked(), {"HITL_DATA": ""}).directory == Path("file")
    assert settings(Asked(), {}).recipes == ("a", "b")


def test_without_any_setting_there_is_a_default() -> None:
    """The data directory is `.hitl`, the token key the directory's own."""
    found = settings(Asked(), {})

    assert (found.directory, found.recipes, found.token_keys) == (Path(".hitl"), (), ())


def test_the_first_key_issues_and_old_ones_stay(folder: Path) -> None:
    """`HITL_TOKEN_KEY` comes first, those of `HITL_TOKEN_KEYS_OLD` after it; none is shown."""
    variables = {"HITL_TOKEN_KEY": KEY, "HITL_TOKEN_KEYS_OLD": f"{KEY}1, {KEY}2"}
    found = settings(Asked(), variables)

    assert found.token_keys == (KEY.encode(), f"{KEY}1".encode(), f"{KEY}2".encode())
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"HITL_TOKEN_KEY": "short"}, "HITL_TOKEN_KEY, found one of 5"),
        ({"HITL_TOKEN_KEY": ""}, "HITL_TOKEN_KEY, found one of 0"),
        ({"HITL_TOKEN_KEY": KEY, "HITL_TOKEN_KEYS_OLD": "short"}, "HITL_TOKEN_KEYS_OLD"),
        ({"HITL_TOKEN_KEYS_OLD": KEY}, "HITL_TOKEN_KEY beside"),
        ({"HITL_READ_MODEL": "model.db"}, "HITL_READ_MODEL, found no URL"),
        ({"HITL_LOG_LEVEL": "loud"}, "HITL_LOG_LEVEL"),
        ({"HITL_LOG_FORMAT": "xml"}, "HITL_LOG_FORMAT"),
        ({"HITL_KAFKA_BOOTSTRAP": "localhost"}, "HITL_KAFKA_BOOTSTRAP"),
    ],
)
def test_a_bad_value_is_named(variables: dict[str, str], named: str) -> None:
    """The message names the variable, and never a key."""
    with pytest.raises(InvalidInput, match=named) as caught:
        settings(Asked(), variables)

    assert "short" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("data = ", "TOML"),
        ('dta = "x"', "'dta'"),
        ("data = true", "data"),
        ("[data]", "data"),
        ('"\\u0000" = 1', "x00"),
    ],
)
def test_a_bad_file_is_told_where(folder: Path, text: str, part: str) -> None:
    """A misspelt name or a wrong type in `hitl.toml` is not ignored."""
    (folder / "hitl.toml").write_text(text, encoding="utf-8")

    with pytest.raises(InvalidInput, match=part):
        settings(Asked(), {})


def test_a_log_level_may_have_any_case() -> None:
    """`HITL_LOG_LEVEL` is read in any case."""
    assert settings(Asked(), {"HITL_LOG_LEVEL": "WARNING"}).recipes == ()


def test_a_cluster_is_named_by_option_or_variable() -> None:
    """`--kafka` wins over `HITL_KAFKA_BOOTSTRAP`; the rest of it comes from its own variables."""
    variables = {"HITL_KAFKA_BOOTSTRAP": "env:9092", "HITL_TOPIC_PREFIX": "desk"}
    option = settings(Asked(kafka="option:9092"), variables)
    variable = settings(Asked(), variables)

    assert option.cluster is not None
    assert variable.cluster is not None
    assert (option.cluster.bootstrap, option.cluster.prefix) == (("option:9092",), "desk")
    assert (option.repeated, variable.repeated) == (" --kafka option:9092", "")
    assert variable.cluster.bootstrap == ("env:9092",)
    assert settings(Asked(), {}).cluster is None


def test_a_suggested_command_repeats_the_options() -> None:
    """What was given as an option must be typed again, quoted for the shell."""
    asked = Asked(directory="a dir", recipes=("r.py",))

    assert settings(asked, {}).repeated == " --dir 'a dir' --recipes r.py"
