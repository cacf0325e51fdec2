"""`hitl replay` as a release check: open runs, several processes, a report, and what goes wrong."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.console import Console
from tests.acceptance.waiting import until

RUNS = ("a-1", "a-2", "a-3", "b-1")
MORE = """

@recipe("other", version="1")
async def other(run: Run, name: str):
    await run.gate("look", draft=name)
    return name
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """Three runs of one recipe, of which one has ended, and one of another."""
    console = Console(tmp_path_factory.mktemp("template"))
    console.recipes.write_text(console.recipes.read_text("utf-8") + MORE, encoding="utf-8")
    tokens = [console.paused(run_id) for run_id in RUNS[:3]]
    console.json("decide", tokens[1], "approve")
    console.json("run", "other", "--run-id", "b-1", "--input", '"x"')
    return console


@pytest.fixture
def console(template: Console, tmp_path: Path) -> Console:
    """The same, for one test alone."""
    copied = template.copied(tmp_path)
    copied.recipes.write_text(template.recipes.read_text("utf-8"), encoding="utf-8")
    return copied


def _results(listed: list[dict[str, Any]]) -> dict[str, str]:
    return {each["run_id"]: each["result"] for each in listed}


def _report(console: Console) -> list[dict[str, Any]]:
    text = (console.folder / "report.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_several_processes_say_what_one_says(console: Console) -> None:
    """The same list in the order of the starts, and the same report, byte for byte."""
    console.rewrite("run.step(write, request)", "run.step(publish, request)")
    said = {
        jobs: console.hitl("replay", "--jobs", jobs, "--json", "--report", f"{jobs}.jsonl")
        for jobs in ("1", "2", "3")
    }
    reports = {(console.folder / f"{jobs}.jsonl").read_bytes() for jobs in said}

    assert {each.out for each in said.values()} == {said["1"].out}
    assert [each.code for each in said.values()] == [3, 3, 3]
    assert list(_results(said["1"].json)) == list(RUNS)
    assert len(reports) == 1


def test_open_runs_alone_are_replayed(console: Console) -> None:
    """What has ended is no matter for a release; a named run that has ended is left out too."""
    assert _results(console.json("replay", "--open-only")) == dict.fromkeys(
        ("a-1", "a-3", "b-1"), "ok"
    )
    assert _results(console.json("replay", "a-1", "a-2", "--open-only")) == {"a-1": "ok"}
    assert console.json("replay", "a-2", "--open-only") == []


def test_a_report_names_each_divergence_and_the_code(console: Console) -> None:
    """A line for each run that does not fit, and a summary; nothing for those that do."""
    fits = console.json("replay", "--report", "report.jsonl")
    (summary,) = _report(console)
    console.rewrite("run.step(write, request)", "run.step(publish, request)")
    code = console.hitl("replay", "--open-only", "--report", "report.jsonl", "--force").code
    first, second, after = _report(console)

    assert (len(fits), summary["results"], summary["runs"]) == (4, {"ok": 4}, 4)
    assert code == 3
    assert (first["type"], first["run_id"], second["run_id"]) == ("Divergence", "a-1", "a-3")
    fields = {"recipe": "policy", "version": "1", "result": "diverged", "at_seq": 2}
    assert {name: first[name] for name in fields} == fields
    assert ("publish" in first["expected"], "write" in first["found"]) == (True, True)
    assert (after["open_only"], after["results"]) == (True, {"ok": 1, "diverged": 2})
    before, now = ({each["recipe"]: each for each in one["code"]} for one in (summary, after))
    assert before["policy"]["code_fingerprint"] != now["policy"]["code_fingerprint"]
    assert before["other"] == now["other"]


def test_other_arguments_are_warnings_in_the_report(console: Console) -> None:
    """They do no harm, unless `--strict`."""
    console.rewrite("run.step(write, request)", 'run.step(write, {"title": "Other"})')
    code = console.hitl("replay", "a-1", "--report", "report.jsonl").code
    warning, summary = _report(console)
    strict = console.hitl("replay", "a-1", "--strict", "--json")

    assert (code, warning["type"], warning["at_seq"]) == (0, "Warning", 2)
    assert (summary["warnings"], summary["results"]) == (1, {"ok": 1})
    assert (strict.code, strict.json[0]["result"]) == (3, "diverged")


def _missing(console: Console) -> None:
    console.rewrite('@recipe("policy", version="1")', '@recipe("policy", version="2")')


def _first(code: str) -> Callable[[Console], None]:
    """The recipe does that before anything else."""
    step = "    draft = await run.step"
    return lambda console: console.rewrite(step, f"    {code}\n{step}")


@pytest.mark.parametrize(
    ("change", "result"),
    [
        (_missing, "unknown_recipe"),
        (_first("raise KeyError(1)"), "diverged"),
        (_first("while True: pass"), "stuck"),
        (_first("raise SystemExit(0)"), "diverged"),
        (_first("await __import__('asyncio').sleep(1)"), "foreign_await"),
        (_first("async with __import__('asyncio').timeout(9): pass"), "foreign_await"),
    ],
)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_code_that_is_broken_stops_no_other_run(
    console: Console, change: Callable[[Console], None], result: str, jobs: str
) -> None:
    """Its own runs are told, those of other recipes are replayed, exit 3."""
    change(console)
    said = console.hitl("replay", "--jobs", jobs, "--json")

    assert said.code == 3
    assert _results(said.json) == {"a-1": result, "a-2": result, "a-3": result, "b-1": "ok"}


@pytest.mark.parametrize(
    ("wrong", "code", "told"),
    [
        (("--jobs", "0"), 2, "from 1 to 256 as --jobs"),
        (("--jobs", "many"), 2, "as --jobs"),
        (("--jobs", "1000"), 2, "from 1 to 256 as --jobs"),
        (("--report", "recipes.py"), 2, "--force"),
        (("--report", "nowhere/r.jsonl"), 1, "nothing of it was kept"),
        (("--from-topic",), 2, "beside --from-topic"),
        (("--recipes", "nosuch"), 2, "no module 'nosuch'"),
        (("nosuch", "--report", "r.jsonl"), 1, "no run 'nosuch'"),
        (("--dir", "nowhere"), 5, "expected a log"),
    ],
)
def test_what_can_not_be_replayed_is_one_line(
    template: Console, wrong: tuple[str, ...], code: int, told: str
) -> None:
    """The exit code, what was expected, and no report that could be taken for one."""
    said = template.hitl("replay", *wrong)

    assert (said.code, told in said.err) == (code, True), said.err
    assert not (template.folder / "r.jsonl").exists()


def test_a_process_that_dies_is_told(console: Console) -> None:
    """Exit 5, one line with the runs it had, one document, and no report."""
    _first("import os; os.kill(os.getpid(), 9)")(console)
    said = console.hitl("replay", "--jobs", "2", "--json", "--report", "report.jsonl")

    assert (said.code, said.problem["code"]) == (5, "process.died")
    assert "runs a-1 to b-1, found that it died (signal 9)" in said.err
    assert not (console.folder / "report.jsonl").exists()


def test_an_interrupt_ends_all_processes(console: Console) -> None:
    """Ctrl-C while a recipe computes: exit 130, one line, nothing left behind."""
    named = "open('pid', 'w').write(str(__import__('os').getpid()))"
    _first(f"{named}\n    while True: pass")(console)
    process = console.begin("replay", "--jobs", "2", start_new_session=True)
    place = console.folder / "pid"
    until(lambda: place.exists() and place.read_text(), "a process replays")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)

    assert (process.returncode, len(err.splitlines())) == (130, 1), err
    until(lambda: not Path(f"/proc/{place.read_text()}").exists(), "the process has ended")


def test_an_empty_log_fits(console: Console) -> None:
    """No runs are an empty list, exit 0, and a report that says so."""
    console.hitl("run", "double", "--input", '"x"', "--dir", "fresh")
    listed = console.json("replay", "--dir", "fresh", "--report", "report.jsonl")

    assert listed == []
    assert [(each["type"], each["runs"]) for each in _report(console)] == [("Summary", 0)]
