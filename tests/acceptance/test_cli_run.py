"""The main job typed into a terminal: run, look, decide, look again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.console import HITL, Console


@pytest.fixture
def console(tmp_path: Path) -> Console:
    """A folder with recipes and no log yet."""
    return Console(tmp_path)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """A folder with the run `r-1`, which waits for its review."""
    console = Console(tmp_path_factory.mktemp("template"))
    console.token = console.paused("r-1")
    return console


@pytest.fixture
def waiting(template: Console, tmp_path: Path) -> Console:
    """The same, for one test alone."""
    return template.copied(tmp_path)


def test_a_run_pauses_is_decided_and_ends(console: Console) -> None:
    """What `run` pauses, `pending` lists and `decide` drives to its end; `show` tells it all."""
    paused = console.json("run", "policy", "--input", '{"title": "Leave"}')
    run_id, token = paused["run_id"], paused["token"]
    (gate,) = console.json("pending")
    done = console.json("decide", token, "approve", "--by", "anna", "--notes", "fine")

    assert (paused["status"], gate["token"], gate["run_id"]) == ("paused", token, run_id)
    assert (done["status"], done["artefact"]["result"]) == ("ok", "published Leave")
    assert console.json("show", run_id) == done
    assert console.json("pending") == []


def test_pages_show_the_draft_the_token_and_what_to_type(console: Console) -> None:
    """`run` prints the command that decides; typed as it stands, it decides."""
    wanted = ["run", "policy", "--input", '{"title": "Leave"}', "--dir", "a dir", "--run-id", "r-1"]
    page = console.hitl(*wanted).out
    pending = console.hitl("pending", "--dir", "a dir").out
    line = next(each for each in page.splitlines() if "hitl decide" in each)
    command = line.replace("next", "", 1).replace("hitl", HITL, 1)
    typed = subprocess.run(
        ["bash", "-c", command],
        cwd=console.folder,
        env=console.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    for shown in ("first line", "title: Leave", "review", "r-1"):
        assert shown in page
        assert shown in pending
    assert typed.stdout.startswith("ok  policy 1  run r-1")
    assert "published Leave" in typed.stdout


def test_lists_fit_a_terminal_but_keep_tokens_whole(console: Console) -> None:
    """No line of `pending` and `runs` has more than 80 columns, but for the token on its own."""
    token = console.paused(run_id="x" * 36, title="a long title " * 20)
    lines = [*console.hitl("pending").out.splitlines(), *console.hitl("runs").out.splitlines()]

    assert [line.strip() for line in lines if len(line) > 80] == [token]


def test_a_second_decision_is_told_who_won(waiting: Console) -> None:
    """A used token is refused with exit 1, and page and document name the winner."""
    token = waiting.token
    waiting.json("decide", token, "deny", "--by", "anna", "--notes", "no")
    late = waiting.hitl("decide", token, "approve", "--by", "ben", "--json")
    page = waiting.hitl("decide", token, "approve", "--by", "ben")

    assert (late.code, late.problem["code"]) == (1, "resume.token_used")
    winner = late.problem["data"]["winner"]
    assert (winner["verdict"], winner["decided_by"]) == ("deny", "anna")
    assert "closed by: deny by anna" in page.out
    assert "resume.token_used" in page.err


def test_a_decision_sent_twice_with_one_id_counts_once(waiting: Console) -> None:
    """The same id with the same content is answered like the first; other content is a conflict."""
    token = waiting.token
    sent = ("decide", token, "approve", "--id", "d-1")
    first, again = waiting.json(*sent), waiting.json(*sent)
    other = waiting.hitl("decide", token, "deny", "--id", "d-1", "--json")

    assert again == first
    assert (other.code, other.problem["code"]) == (1, "resume.conflict")


def test_the_token_may_come_from_stdin(waiting: Console) -> None:
    """`-` keeps the token out of the shell's history."""
    token = waiting.token

    assert waiting.json("decide", "-", "approve", stdin=f"{token}\n")["status"] == "ok"


def test_input_comes_from_the_line_a_file_or_stdin(console: Console) -> None:
    """`--input` takes JSON, `@FILE` and `-`; what it is not given is null."""
    (console.folder / "input.json").write_text("21", encoding="utf-8")
    given = [("21", ""), ("@input.json", ""), ("-", "21")]
    results = [
        console.json("run", "double", "--input", text, stdin=stdin)["artefact"]["result"]
        for text, stdin in given
    ]

    assert results == [42, 42, 42]
    assert console.hitl("run", "double", "--json").problem["code"] == "command.invalid_command"


def test_a_run_id_is_one_run(waiting: Console) -> None:
    """The same id with the same input takes the run up; with another input it is refused."""
    token = waiting.token

    assert waiting.paused("r-1", "Leave") == token
    wanted = ("run", "policy", "--run-id", "r-1", "--input", '{"title": "Pay"}', "--json")
    refused = waiting.hitl(*wanted)
    assert (refused.code, refused.problem["code"]) == (1, "command.run_exists")
    assert len(waiting.json("runs")) == 1


def test_the_same_run_again_takes_up_new_code(waiting: Console) -> None:
    """A step that new code asks for beside the open gate runs when the run is asked for again."""
    more = "run.step(write, request, name='more')"
    waiting.rewrite("review = await run.gate(", f"_, review = await run.all({more}, run.gate(")
    waiting.rewrite('verdicts=("approve", "deny"))', 'verdicts=("approve", "deny")))')
    before = waiting.json("show", "r-1")

    waiting.paused("r-1", "Leave")

    after = waiting.json("show", "r-1")
    assert (before["status"], after["status"]) == ("paused", "paused")
    assert "more" not in before["artefact"]["steps"]
    assert after["artefact"]["steps"]["more"]["title"] == "Leave"


def test_a_cancelled_run_takes_no_decision(waiting: Console) -> None:
    """`cancel` ends the run as an error outcome; its token is refused as `run_ended`."""
    token = waiting.token
    cancelled = waiting.hitl("cancel", "r-1", "--reason", "no longer wanted", "--json")
    late = waiting.hitl("decide", token, "approve", "--json")

    assert (cancelled.code, cancelled.problem["code"]) == (1, "run.cancelled")
    assert cancelled.problem["data"]["reason"] == "no longer wanted"
    assert (late.code, late.problem["code"]) == (1, "resume.run_ended")


def test_a_cancelled_run_says_what_is_uncertain(waiting: Console) -> None:
    """A once step whose process died before the cancellation is named by `cancel` and by `show`."""
    waiting.rewrite("    print(", "    __import__('os')._exit(9)\n    print(")
    waiting.rewrite("run.step(publish, draft)", "run.step(publish, draft, once=True)")
    killed = waiting.begin("decide", waiting.token, "approve")
    killed.communicate(timeout=60)

    cancelled = waiting.hitl("cancel", "r-1", "--json")
    page = waiting.hitl("show", "r-1").out

    assert killed.returncode == 9
    codes = [each["code"] for each in cancelled.json["diagnostics"]]
    assert codes == ["run.cancelled", "step.uncertain"]
    assert "step.uncertain: step 'publish' began and its end is not known" in page


def test_a_run_whose_code_changed_blocks_until_it_fits(waiting: Console) -> None:
    """`decide` on changed code exits 1 and names the step; `unblock` lets the mended run go on."""
    token = waiting.token
    waiting.rewrite("run.step(write, request)", "run.step(publish, request)")
    blocked = waiting.hitl("decide", token, "approve", "--json")
    still = waiting.hitl("unblock", "r-1")
    waiting.rewrite("run.step(publish, request)", "run.step(write, request)")

    assert (blocked.code, blocked.problem["code"]) == (1, "recipe.diverged")
    assert "publish" in blocked.problem["data"]["expected"]
    assert still.code == 1
    assert "hitl unblock r-1" in still.out
    assert waiting.json("unblock", "r-1")["artefact"]["result"] == "published Leave"


def test_show_at_is_the_outcome_of_that_moment(waiting: Console) -> None:
    """`show --at N` is what was true at event N; `--diff` what changed between two."""
    token = waiting.token
    paused = waiting.json("show", "r-1")
    done = waiting.json("decide", token, "approve")
    diff = waiting.json("show", "r-1", "--diff", str(paused["seq"]), str(done["seq"]))
    paths = [change["path"] for change in diff["changes"]]

    assert waiting.json("show", "r-1", "--at", str(paused["seq"])) == paused
    assert waiting.hitl("show", "r-1", "--at", "99").code == 2
    assert {"$.status", "$.artefact.steps.publish"} <= set(paths)
    assert "published Leave" in waiting.hitl("show", "r-1", "--diff", "3", "6").out


def test_trace_is_the_trace_of_the_outcome(waiting: Console) -> None:
    """`trace --json` is the outcome's trace; for people each entry is one line."""
    entries = waiting.json("trace", "r-1")
    lines = waiting.hitl("trace", "r-1").out.splitlines()

    assert entries == waiting.json("show", "r-1")["trace"]
    assert [entry["kind"] for entry in entries] == ["run.start", "step.completed", "run.paused"]
    assert [line.split()[3] for line in lines] == [entry["kind"] for entry in entries]


def test_lists_are_filtered_and_have_the_fields_of_the_contract(waiting: Console) -> None:
    """Filters of `runs` and `pending` choose; each entry has exactly the promised fields."""
    waiting.paused("r-2")
    waiting.json("run", "double", "--run-id", "r-3", "--input", "1")
    runs, gates = waiting.json("runs"), waiting.json("pending")

    wanted = {"run_id", "recipe", "version", "status", "seq", "started_at", "updated_at"}
    assert [set(run) for run in runs] == [wanted] * 3
    assert [run["run_id"] for run in runs] == ["r-1", "r-2", "r-3"]
    assert [run["run_id"] for run in waiting.json("runs", "--status", "ok")] == ["r-3"]
    assert [run["run_id"] for run in waiting.json("runs", "--limit", "1")] == ["r-3"]
    of_gate = (
        "gate_id token run_id recipe gate pause_kind since expires_at verdicts draft_digest draft"
    )
    assert [set(gate) for gate in gates] == [set(of_gate.split())] * 2
    assert [gate["gate_id"] for gate in waiting.json("pending", "--limit", "1")] == ["r-1.3"]
    assert waiting.json("pending", "--older-than", "1h") == []
    assert waiting.json("pending", "--older-than", "999999999d") == []
    assert waiting.json("pending", "--recipe", "double") == []


def test_recipes_and_plans_are_listed(console: Console) -> None:
    """`recipes` lists every handle of the module, `plan` draws one as text and as mermaid."""
    names = [each["name"] for each in console.json("recipes")]

    assert names == ["policy", "double", "not-json", "endless"]
    assert "Publishes a text after a review." in console.hitl("recipes").out
    assert console.json("plan", "policy")["name"] == "policy"
    assert console.hitl("plan", "policy", "--format", "mermaid").out.startswith("flowchart")


def test_what_a_step_prints_is_no_part_of_the_document(waiting: Console) -> None:
    """Only the command writes to stdout; what users' code prints goes to stderr."""
    token = waiting.token
    said = waiting.hitl("decide", token, "approve", "--json")

    assert json.loads(said.out)["status"] == "ok"
    assert "a step that prints" in said.err
