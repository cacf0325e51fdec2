"""Log lines: names from one table, plain fields, nothing that is secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from hitl_services.log_names import LINES, LogName
from hitl_services.logs import NEVER, Log, route_libraries
from hitl_services.settings import LogFormat, LogLevel, LogSettings

KEY = "a secret of thirty-two bytes and more"
TOKEN = "hitl_" + "aB3-_" * 13


class Lines:
    """What was logged."""

    def __init__(self, form: LogFormat = "json", level: LogLevel = "debug") -> None:
        self.stream = io.StringIO()
        settings = LogSettings(format=form, level=level)
        self.log = Log(settings, self.stream, process="test", secrets=[KEY, "pw"])

    @property
    def text(self) -> str:
        """All of it."""
        return self.stream.getvalue()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Line by line."""
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def lines() -> Lines:
    """A log at its lowest level."""
    return Lines()


@pytest.fixture
def routed(lines: Lines) -> Iterator[Lines]:
    """The logging module's lines go there too."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    route_libraries(lines.log)
    yield lines
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)


def test_every_name_is_in_the_table() -> None:
    """The names that may be told are those that have a level and a meaning."""
    assert set(LINES) == set(get_args(LogName))


def test_a_line_is_a_name_and_fields(lines: Lines) -> None:
    """One JSON object a line: event, level, time, process, and the fields that are given."""
    lines.log.tell("decision.received", run_id="r", gate="g", topic="t", partition=1, offset=2)
    lines.log.tell("run.paused", run_id="r", gate=None)

    first, second = lines.objects
    assert {name: first[name] for name in ("event", "level", "process", "run_id", "offset")} == {
        "event": "decision.received",
        "level": "info",
        "process": "test",
        "run_id": "r",
        "offset": 2,
    }
    assert first["at"].endswith("Z")
    assert "gate" not in second


def test_a_console_line_has_the_same_fields() -> None:
    """For people: the name, then `field=value`, without colours where there is no terminal."""
    lines = Lines("console")
    lines.log.tell("run.paused", run_id="r", gate="g")

    assert "run.paused" in lines.text
    assert "gate=g" in lines.text
    assert "\x1b" not in lines.text


def test_a_level_leaves_out_what_is_below() -> None:
    """At `warning` no information is written, and nobody needs to compute it."""
    lines = Lines(level="warning")
    lines.log.tell("run.paused", run_id="r")
    lines.log.tell("run.blocked", run_id="r")

    assert [each["event"] for each in lines.objects] == ["run.blocked"]
    assert (lines.log.says("run.paused"), lines.log.says("run.blocked")) == (False, True)


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_token_and_no_known_secret_passes(form: LogFormat) -> None:
    """Wherever they stand in a field, they are masked."""
    lines = Lines(form)
    lines.log.tell("process.failed", error=f"found {TOKEN} and {KEY}, and '{KEY}{TOKEN}'")

    assert TOKEN not in lines.text
    assert TOKEN[10:] not in lines.text
    assert KEY not in lines.text


def test_fields_of_users_are_dropped_by_name(lines: Lines) -> None:
    """Drafts, notes and the like are in no line, even if somebody passes them."""
    fields: dict[str, str] = dict.fromkeys(NEVER, "what a user wrote")
    lines.log.tell("run.paused", run_id="r", **fields)

    assert "what a user wrote" not in lines.text
    assert not NEVER & lines.objects[0].keys()


def test_what_is_no_plain_value_is_its_type(lines: Lines) -> None:
    """An object that slipped in does not bring its contents along."""
    slipped: Any = {"draft": "text"}
    lines.log.tell("run.paused", gate=slipped)

    assert lines.objects[0]["gate"] == "dict"


def test_a_line_stays_a_line(lines: Lines) -> None:
    """Line ends and what a terminal acts on are made harmless, long texts are cut."""
    lines.log.tell("process.failed", error="a\nb\x1b[31m" + "c" * 10_000)

    assert lines.text.count("\n") == 1
    assert "\x1b" not in lines.text
    assert len(lines.text) < 4_000


def test_libraries_are_told_in_our_form(routed: Lines) -> None:
    """What aiokafka logs is a line with its logger, its error by type, and no secret."""
    try:
        raise ConnectionError(f"no {KEY}")
    except ConnectionError:
        logging.getLogger("aiokafka.conn").exception("lost %s", TOKEN)

    (line,) = routed.objects
    assert (line["event"], line["level"]) == ("library.message", "error")
    assert line["logger"] == "aiokafka.conn"
    assert "ConnectionError: no ***" in line["message"]
    assert TOKEN not in routed.text


def test_what_drivers_write_at_debug_is_never_logged(routed: Lines) -> None:
    """There they print whole records, tokens included."""
    logging.getLogger("aiokafka.conn").debug("request %s", b"record")

    assert routed.text == ""


def test_a_reader_that_has_gone_ends_nothing(lines: Lines) -> None:
    """A closed stderr is no reason to stop."""
    lines.stream.close()

    lines.log.tell("run.paused", run_id="r")


def test_a_line_that_does_not_fit_its_arguments_is_left_out(
    routed: Lines, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends nobody, and no traceback comes of it; the next line is told."""
    root, wrong = logging.getLogger(), "%s of %s"
    ours = [each for each in root.handlers if type(each).__module__ == Log.__module__]
    monkeypatch.setattr(root, "handlers", ours)  # the test runner's own would raise
    logging.getLogger("driver").warning(wrong, 1)
    logging.getLogger("driver").warning("next")

    assert [line["message"] for line in routed.objects] == ["next"]
    assert capsys.readouterr().err == ""
