"""The examples as a user meets them: wrong input, refusals, revisions, and `kill -9` between."""

from __future__ import annotations

import fcntl
import json
import os
import re
import runpy
import shlex
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.playground import ROOT, Playground, Said, kill
from tests.acceptance.waiting import until

POLICY = "remote-work-policy.md"
CHEAPER = 'In section "Equipment" replace "EUR 450" with "EUR 400"'
WARNED = 'In section "Review" append "Changes are announced a month ahead." And ask the board!'


@pytest.fixture
def policy(tmp_path: Path) -> Playground:
    """A folder with the policy example."""
    return Playground(tmp_path, "policy_update")


@pytest.fixture
def batch(tmp_path: Path) -> Playground:
    """A folder with the batch example."""
    return Playground(tmp_path, "batch_job")


@pytest.fixture
def refund(tmp_path: Path) -> Playground:
    """A folder with the refund example."""
    return Playground(tmp_path, "refund")


def draft_of(said: Said, gate: str = "legal-review") -> dict[str, Any]:
    """What a gate of an outcome shows."""
    draft: dict[str, Any] = said.json["artefact"]["gates"][gate]["draft"]
    return draft


# policy_update


def test_an_approved_policy_is_published_as_shown(policy: Playground) -> None:
    """The file is the approved text, byte for byte, and the result says who approved."""
    before = policy.read(POLICY)
    paused = policy.start("policy-update")
    assert policy.read(POLICY) == before
    assert "+of EUR 450 for a desk" in draft_of(paused)["diff"]

    legal = '{"reference": "LEG-118", "risk": "low"}'
    done = policy.hitl("decide", paused.json["token"], "approve", "--by", "anna", "--data", legal)

    assert (done.code, done.json["status"]) == (0, "ok")
    assert policy.read(POLICY) == draft_of(paused)["text"]
    assert done.json["artefact"]["result"]["approved_by"] == "anna"
    assert done.json["artefact"]["result"]["legal"]["reference"] == "LEG-118"


@pytest.mark.parametrize(
    ("notes", "text", "open_points"),
    [
        ('In section "A" replace "one two" with "1 2"', "# 1. A\r\n\r\n1\r\n2 three three\r\n", 0),
        ("In section “a”, remove “two”.", "# 1. A\r\n\r\none\r\n three three\r\n", 0),
        ('in section "A" append "four"', "# 1. A\r\n\r\none\r\ntwo three three\r\n\r\nfour\r\n", 0),
        ('In section "A" remove "three"; in section "B" append "x"', None, 2),
        ('In section "A" replace "" with "x" or so', None, 2),
    ],
)
def test_an_edit_fits_in_one_place_or_stays_open(
    notes: str, text: str | None, open_points: int
) -> None:
    """Edits keep line ends, heed what is quoted, and change nothing where they are not clear."""
    module = runpy.run_path(str(ROOT / "examples" / "policy_update" / "policy_update.py"))
    before = "# 1. A\r\n\r\none\r\ntwo three three\r\n"

    edits, unclear = module["parse_edits"](notes)
    after, unfit = module["apply"](before, edits)

    assert after == (before if text is None else text)
    assert len(unclear) + len(unfit) == open_points


def test_a_denied_policy_stays_as_it_is(policy: Playground) -> None:
    """After a denial every file is as before."""
    before = {path.name: path.read_bytes() for path in policy.folder.glob("*.md")}
    paused = policy.start("policy-update")

    done = policy.hitl("decide", paused.json["token"], "deny", "--notes", "too dear")

    assert done.json["artefact"]["result"] == {"reason": "too dear"}
    assert {path.name: path.read_bytes() for path in policy.folder.glob("*.md")} == before


def test_changes_asked_for_twice_are_published_with_the_rest(policy: Playground) -> None:
    """Each round of notes changes the next draft; what is no edit stays an open point."""
    first = policy.start("policy-update")
    second = policy.hitl("decide", first.json["token"], "request_changes", "--notes", CHEAPER)
    third = policy.hitl("decide", second.json["token"], "request_changes", "--notes", WARNED)
    assert draft_of(third)["open_points"] == ["not an edit: And ask the board!"]

    done = policy.hitl("decide", third.json["token"], "approve")

    assert done.json["artefact"]["result"]["revision"] == 3
    published = policy.read(POLICY)
    assert "EUR 400" in published
    assert "announced a month ahead" in published
    assert "up to three days" in published


def test_a_superseded_draft_cannot_be_approved(policy: Playground) -> None:
    """The token of an earlier round is used up; the gate of the next round stays open."""
    first = policy.start("policy-update")
    second = policy.hitl("decide", first.json["token"], "request_changes", "--notes", CHEAPER)

    late = policy.hitl("decide", first.json["token"], "approve")

    assert late.code == 1
    assert late.json["diagnostics"][0]["data"]["winner"]["verdict"] == "request_changes"
    assert policy.hitl("pending").json[0]["token"] == second.json["token"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"document": "absent.md"}, "absent.md"),
        ({"change_request": POLICY}, "expected edits"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_input_is_one_clear_error(
    policy: Playground, changed: dict[str, str], told: str
) -> None:
    """A missing file, a file without edits and an unknown field are named; no gate opens."""
    said = policy.start("policy-update", **changed)

    assert (said.code, said.json["status"]) == (1, "error")
    assert told in said.json["diagnostics"][0]["message"]
    assert policy.hitl("pending").json == []


def test_a_document_changed_meanwhile_is_not_overwritten(policy: Playground) -> None:
    """An approval does not undo what somebody else wrote since the draft was made."""
    paused = policy.start("policy-update")
    (policy.folder / POLICY).write_text("# Somebody else's text\n", encoding="utf-8")

    done = policy.hitl("decide", paused.json["token"], "approve")

    assert done.code == 1
    assert "changed since" in done.json["diagnostics"][0]["message"]
    assert policy.read(POLICY) == "# Somebody else's text\n"


def test_a_run_killed_while_it_drafts_is_taken_up(policy: Playground) -> None:
    """After `kill -9` in the first step the same command brings the run to its gate."""
    asked = policy.read("change-request.md")
    with blocked_file(policy.folder / "change-request.md"):
        arguments = ("run", "policy-update", "--run-id", "r-1", "--input", "@request.json")
        process = policy.begin(*arguments)
        until(lambda: policy.hitl("runs").json, "the run is recorded")
        kill(process)
    (policy.folder / "change-request.md").write_text(asked, encoding="utf-8")

    again = policy.hitl(*arguments)

    assert again.json["status"] == "paused"
    assert "EUR 450" in draft_of(again)["diff"]


def test_a_decision_typed_again_after_a_kill_heals_its_run(policy: Playground) -> None:
    """After `kill -9` in the step behind a decision, the same command takes the run along."""
    before = policy.read(POLICY)
    token = policy.start("policy-update").json["token"]
    decision = ("decide", token, "request_changes", "--notes", CHEAPER, "--id", "anna-1")
    with blocked_file(policy.folder / POLICY):
        process = policy.begin(*decision)
        until(lambda: "decision.received" in kinds(policy), "the decision is recorded")
        kill(process)
    (policy.folder / POLICY).write_text(before, encoding="utf-8")

    again = policy.hitl(*decision)

    assert (again.code, again.json["status"]) == (0, "paused")
    assert "EUR 400" in draft_of(again)["diff"]
    assert kinds(policy).count("decision.received") == 1


def test_a_publication_cut_off_is_not_repeated_unasked(policy: Playground) -> None:
    """After `kill -9` while it publishes the run asks whether it did, and heeds the answer."""
    before = policy.read(POLICY)
    paused = policy.start("policy-update")
    with blocked_file(policy.folder / POLICY):
        process = policy.begin("decide", paused.json["token"], "approve", "--id", "d-1")
        until(lambda: "step.started" in kinds(policy), "publishing has begun")
        kill(process)
    (policy.folder / POLICY).write_text(before, encoding="utf-8")

    asked = policy.start("policy-update")
    assert asked.json["pause_kind"] == "reconcile"
    assert policy.read(POLICY) == before
    done = policy.hitl("decide", asked.json["token"], "did_not_happen")

    assert done.json["status"] == "ok"
    assert policy.read(POLICY) == draft_of(paused)["text"]


def kinds(playground: Playground, run_id: str = "r-1") -> list[str]:
    """The kinds of a run's trace so far."""
    return [entry["kind"] for entry in playground.hitl("trace", run_id).json]


@contextmanager
def blocked_file(path: Path) -> Generator[None]:
    """In place of the file, for a while, a pipe on which a reader waits."""
    path.unlink()
    os.mkfifo(path)
    try:
        yield
    finally:
        path.unlink()


# batch_job


def test_the_outside_job_decides_the_gate(batch: Playground) -> None:
    """The job takes its work order from the open gate and the run goes on with its report."""
    assert batch.start("batch-job").json["pause_kind"] == "external"

    job = batch.command(sys.executable, "job.py")

    assert job.code == 0, job.err
    result = batch.hitl("show", "r-1").json["artefact"]["result"]
    assert (result["rows"], result["rejected"]) == (14, 6)
    assert result["totals"]["EUR"] == "4487.50"
    assert batch.read("results/imported.csv").count("\n") == 15
    assert "unknown currency XBT" in batch.read("results/rejected.csv")
    assert batch.command(sys.executable, "job.py").out == "no work orders\n"


def test_a_job_that_cannot_do_its_work_says_so(batch: Playground) -> None:
    """A source that changed since the order makes the job fail, and nothing is imported."""
    batch.start("batch-job")
    (batch.folder / "orders.csv").write_text("order_id\n1\n", encoding="utf-8")

    job = batch.command(sys.executable, "job.py")

    assert "failed, the run is ok" in job.out
    assert "changed since" in batch.hitl("show", "r-1").json["artefact"]["result"]["reason"]
    assert not (batch.folder / "results" / "imported.csv").exists()


def test_a_report_that_does_not_fit_is_refused(batch: Playground) -> None:
    """Data with a missing or a foreign field is refused, and the gate stays open for the job."""
    token = batch.start("batch-job").json["token"]

    refused = batch.hitl("decide", token, "done", "--data", '{"accepted": -1}')

    assert refused.code == 1
    assert refused.json["diagnostics"][0]["data"]["reason"] == "invalid_data"
    assert batch.command(sys.executable, "job.py").code == 0


def test_a_report_that_its_file_contradicts_is_not_believed(batch: Playground) -> None:
    """The recipe checks what the job says it wrote before anything is released."""
    token = batch.start("batch-job").json["token"]
    (batch.folder / "results" / "clean.csv").write_text("other\n", encoding="utf-8")
    report: dict[str, Any] = {"accepted": 20, "rejected": 0, "totals": {}, "clean_sha256": "0" * 64}
    results = batch.folder / "results"
    files = {"clean_file": str(results / "clean.csv"), "rejected_file": str(results / "r.csv")}

    done = batch.hitl("decide", token, "done", "--data", json.dumps(report | files))

    assert done.code == 1
    assert "clean.csv changed" in done.json["diagnostics"][0]["message"]
    assert not (results / "imported.csv").exists()


# refund


def booked(playground: Playground) -> list[tuple[str, int]]:
    """What the ledger holds beyond the entries that it came with."""
    lines = playground.read("ledger.jsonl").splitlines()[5:]
    return [(entry["kind"], entry["cents"]) for entry in map(json.loads, lines)]


def test_an_approved_refund_is_paid_once(refund: Playground) -> None:
    """Money is reserved before the gate and paid after it; a second approval pays nothing."""
    paused = refund.start("refund")
    assert booked(refund) == [("reserved", 10_000)]
    assert len(draft_of(paused, "approval")["earlier refunds"]) == 1

    assert refund.hitl("decide", paused.json["token"], "approve").json["status"] == "ok"
    assert refund.hitl("decide", paused.json["token"], "approve").code == 1

    assert booked(refund) == [("reserved", 10_000), ("paid", 10_000)]


@pytest.mark.parametrize("end", ["deny", "cancel"])
def test_a_refund_that_does_not_come_about_gives_its_reserve_back(
    refund: Playground, end: str
) -> None:
    """A denial and a cancellation both run the undo of what was reserved, and pay nothing."""
    token = refund.start("refund").json["token"]

    if end == "deny":
        done = refund.hitl("decide", token, "deny", "--notes", "no receipt")
        assert done.json["artefact"]["result"] == {"gate": "approval", "status": "denied"}
    else:
        assert refund.hitl("cancel", "r-1", "--reason", "twice").json["status"] == "error"

    assert booked(refund) == [("reserved", 10_000), ("released", 10_000)]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"order": "Z-9"}, "expected a sale of order 'Z-9'"),
        ({"amount": "400.00"}, "expected at most 30000 cents"),
        ({"amount": "-5"}, "greater than 0"),
        ({"ledger": "absent.jsonl"}, "absent.jsonl"),
    ],
)
def test_a_refund_that_cannot_be_is_an_error_that_says_why(
    refund: Playground, changed: dict[str, str], told: str
) -> None:
    """No such order, too much, a negative amount, no such books: told, and nothing is booked."""
    said = refund.start("refund", **changed)

    assert said.code == 1
    assert told in said.json["diagnostics"][0]["message"]
    assert booked(refund) == []


@pytest.mark.parametrize("verdict", ["did_not_happen", "happened", "abandon"])
def test_a_payment_cut_off_is_settled_by_a_human(refund: Playground, verdict: str) -> None:
    """After `kill -9` while it pays, the run pays again only if a human says that it did not."""
    token = refund.start("refund").json["token"]
    with (refund.folder / "ledger.jsonl").open("r+") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        process = refund.begin("decide", token, "approve")
        until(lambda: "step.started" in kinds(refund), "the payment has begun")
        kill(process)
    asked = refund.start("refund")
    assert asked.json["pause_kind"] == "reconcile"
    entry = {"key": "bank:1", "kind": "paid", "order": "A-1002"}
    output = {"output": entry | {"customer": "Northwind Ltd", "cents": 10_000}}
    data = ["--data", json.dumps(output)] if verdict == "happened" else []

    done = refund.hitl("decide", asked.json["token"], verdict, *data)

    follows = {"did_not_happen": [("paid", 10_000)], "abandon": [("released", 10_000)]}
    assert booked(refund) == [("reserved", 10_000), *follows.get(verdict, [])]
    assert done.json["status"] == ("error" if verdict == "abandon" else "ok")


# all of them


@pytest.mark.parametrize("example", ["policy_update", "batch_job", "refund"])
def test_the_command_in_an_examples_own_text_works(example: str, tmp_path: Path) -> None:
    """Typed as it stands there, in a copy of the folder, it starts a run that pauses."""
    copied = Playground(tmp_path, example)
    [command] = re.findall(r"^    hitl (run .+)$", copied.read(f"{example}.py"), re.MULTILINE)

    assert copied.hitl(*shlex.split(command)).json["status"] == "paused"
