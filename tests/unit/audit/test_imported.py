import base64
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from hitl_events.audit.export import End, export_line, spelt
from hitl_events.audit.imported import values_of
from hitl_events.audit.report import VerifyReport
from hitl_events.errors import CorruptLog
from tests.unit.audit.lines import check_lines, export_lines
from tests.unit.audit.made import CODEC, chained, ended, started, waiting

RUNS = [
    ended("first"),
    chained("only", [started()]),
    waiting("second"),
    chained("last", [started()]),
]


def _exported(*runs: list[bytes]) -> list[bytes]:
    return list(export_lines([(CODEC.decode(values[0]).run_id, values) for values in runs], CODEC))


LINES = _exported(*RUNS)
SHORT = _exported(waiting("one"), chained("two", [started()]))
PLACES = [(event.run_id, event.seq) for run in RUNS for event in map(CODEC.decode, run)]
EVENT_LINES = range(len(PLACES))


def _report(lines: Iterable[bytes]) -> VerifyReport:
    return check_lines(lines, CODEC)


def _with(index: int, line: dict[str, Any]) -> list[bytes]:
    """The file with another object in one line, spelt as it has to be."""
    return [*LINES[:index], spelt(line) + b"\n", *LINES[index + 1 :]]


def _names(report: VerifyReport, run_id: str, seq: int) -> bool:
    """True if a problem is put where it is, or at the event beside it."""
    return any(each.run_id == run_id and abs((each.seq or 0) - seq) <= 1 for each in report.errors)


def test_a_file_that_is_as_it_was_written_verifies() -> None:
    """Lines are taken as bytes or text, with or without their line feeds."""
    whole: dict[str, Any] = {"runs": 4, "events": 12, "errors": []}
    text = b"".join(LINES).decode()

    assert _report(LINES).to_json() == whole
    assert check_lines(text.splitlines(), CODEC).to_json() == whole
    assert check_lines(text.splitlines(keepends=True), CODEC).to_json() == whole


@pytest.mark.parametrize("bit", [0x01, 0x20])
def test_every_changed_byte_is_found(bit: int) -> None:
    """No single byte of a file can be changed: not a digit, not a quote, not a line feed."""
    text = b"".join(SHORT)
    flipped = (text[:at] + bytes([text[at] ^ bit]) + text[at + 1 :] for at in range(len(text)))

    missed = [at for at, edited in enumerate(flipped) if _report(io.BytesIO(edited)).ok]

    assert missed == []


@pytest.mark.parametrize("index", EVENT_LINES)
def test_a_changed_byte_is_named_by_its_run(index: int) -> None:
    """Whoever looks for the damage is told where it is."""
    line = LINES[index]
    edits = (line[:at] + bytes([line[at] ^ 2]) + line[at + 1 :] for at in range(len(line) - 1))

    unnamed = [
        edited
        for edited in edits
        if not _names(_report([*LINES[:index], edited, *LINES[index + 1 :]]), *PLACES[index])
    ]

    assert unnamed == []


@pytest.mark.parametrize("index", EVENT_LINES)
def test_every_removed_line_is_found_and_named(index: int) -> None:
    """A line that is not there is missed by its run, or by the End line."""
    assert _names(_report([*LINES[:index], *LINES[index + 1 :]]), *PLACES[index])


@pytest.mark.parametrize("index", EVENT_LINES)
def test_every_inserted_line_is_found_and_named(index: int) -> None:
    """A line of the file put in a second time, anywhere, is found."""
    reports = [_report([*LINES[:at], LINES[index], *LINES[at:]]) for at in range(len(LINES) + 1)]

    assert not any(report.ok for report in reports)
    named = [{each.run_id for each in report.errors} for report in reports[:-1]]
    assert all(PLACES[index][0] in run_ids for run_ids in named)


def test_every_two_lines_that_changed_places_are_found() -> None:
    """Neither events nor whole runs can be reordered."""
    missed: list[tuple[int, int]] = []
    for one, other in itertools.combinations(range(len(LINES)), 2):
        swapped = LINES.copy()
        swapped[one], swapped[other] = LINES[other], LINES[one]
        missed += [(one, other)] if _report(swapped).ok else []

    assert missed == []


@pytest.mark.parametrize("count", range(len(LINES)))
def test_every_cut_between_lines_is_found(count: int) -> None:
    """A file without its End line is not whole."""
    problems = [each.problem for each in _report(LINES[:count]).errors]

    assert problems[-1].endswith("expected the End line last, found none: the file was cut")


def test_every_cut_within_a_line_is_found() -> None:
    """A file that was cut at any byte is found, also where only its last line feed is gone."""
    text = b"".join(SHORT)
    cut = (text[:length] for length in range(len(text)))

    assert not any(_report(io.BytesIO(part)).ok for part in cut)


def test_whole_runs_that_changed_places_are_found() -> None:
    """The End line keeps the order of the runs."""
    report = _report([*LINES[:7], LINES[11], *LINES[8:11], LINES[7], LINES[12]])

    assert [(each.run_id, each.seq) for each in report.errors] == [("last", 1)]


@pytest.mark.parametrize("index", EVENT_LINES)
def test_every_readable_field_is_held_against_the_record(index: int) -> None:
    """What a reader sees is what was recorded: no field can be changed, left out or added."""
    line = json.loads(LINES[index])
    changes = [
        *({**line, name: "forged"} for name in line),
        *({other: line[other] for other in line if other != name} for name in line),
        {**line, "approved_by": "Ada"},
        {**line, "offset": 1},
    ]

    missed = [changed for changed in changes if _report(_with(index, changed)).ok]

    assert missed == []


def _respellings(line: bytes) -> Iterator[bytes]:
    held = json.loads(line)
    yield json.dumps(held, separators=(",", ":"), sort_keys=True).encode() + b" \n"
    yield json.dumps(held, sort_keys=True).encode() + b"\n"
    yield json.dumps(dict(reversed(held.items())), separators=(",", ":")).encode() + b"\n"
    yield line.replace(b'"seq":1', b'"seq":1.0')
    yield line.replace(b'"run_id"', b'"run_id":"x","run_id"')
    yield line.replace(b"policy", b"\\u0070olicy")
    yield line.replace(b"\n", b"\r\n")
    yield b"\xef\xbb\xbf" + line
    yield line + b"\n"


def test_a_line_has_one_spelling() -> None:
    """JSON that means the same in other letters is an edit, too."""
    spellings = list(_respellings(LINES[0]))

    assert [text for text in spellings if _report([text, *LINES[1:]]).ok] == []


@pytest.mark.parametrize(
    "value",
    [None, 7, "", "!", "wwE=", "AAAA", "é", base64.b64encode(RUNS[0][0] + b"x").decode()],
)
def test_a_line_without_a_record_is_named(value: object) -> None:
    """The run and seq that the line shows say where the record is missing."""
    report = _report(_with(2, {**json.loads(LINES[2]), "value": value}))

    assert (report.errors[0].run_id, report.errors[0].seq) == ("first", 3)


@pytest.mark.parametrize("line", [b"", b"[]", b"7", b"null", b"{}", b"[" * 5000, b"\xff", b'"x'])
def test_what_is_no_line_is_a_problem_and_no_exception(line: bytes) -> None:
    """Whatever a file holds, checking it ends with a report."""
    assert not _report([line + b"\n", *LINES]).ok


@pytest.mark.parametrize(
    "change",
    [
        {"runs": 5},
        {"events": True},
        {"heads": []},
        {"heads": {"first": "0"}},
        {"offsets": "00"},
        {"signed": "yes"},
    ],
)
def test_the_end_line_is_held_against_the_lines_before_it(change: dict[str, Any]) -> None:
    """Counts and heads are what the file comes to."""
    end = json.loads(LINES[-1]) | change

    report = _report([*LINES[:-1], json.dumps(end, separators=(",", ":")).encode() + b"\n"])

    assert all("the End line differs" in each.problem for each in report.errors)
    assert report.errors


def _with_offsets(offsets: Iterable[int]) -> list[bytes]:
    end = End()
    lines: list[bytes] = []
    for offset, value in zip(offsets, RUNS[2], strict=True):
        lines.append(spelt(export_line(value, CODEC, partition=0, offset=offset)) + b"\n")
        end.add("second", value, partition=0, offset=offset)
    return [*lines, spelt(end.to_json()) + b"\n"]


def test_an_edited_offset_is_found() -> None:
    """An offset stands in no record; order and the End line hold it."""
    right, other = _with_offsets([4, 6, 9]), _with_offsets([4, 7, 9])

    assert _report(right).ok
    assert not _report([right[0], other[1], *right[2:]]).ok
    assert not _report(_with_offsets([6, 4, 9])).ok
    assert not _report([*right[:2], LINES[10], right[3]]).ok


def test_records_come_out_as_they_went_in() -> None:
    """An import has the same bytes, run by run."""
    assert list(values_of(LINES, CODEC)) == [tuple(run) for run in RUNS]


@pytest.mark.parametrize("lines", [LINES[:-1], [*LINES[:3], *LINES[4:]], LINES[:11] + LINES[12:]])
def test_a_file_that_does_not_verify_is_not_imported(lines: list[bytes]) -> None:
    """Nothing of a damaged file is taken: the iteration ends with what is wrong."""
    with pytest.raises(CorruptLog, match="run `hitl verify` to see all of it"):
        list(values_of(lines, CODEC))
