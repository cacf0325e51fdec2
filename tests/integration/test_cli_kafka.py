"""`hitl` on a cluster: commands that are published and watched, and views folded from topics."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from hitl_events.adapters.inbound.proof import proven_channel
from tests.acceptance.console import Console
from tests.acceptance.waiting import until
from tests.integration.engines import KEYS
from tests.integration.stand_in import (
    PAUSED,
    Played,
    engine,
    reply,
    standing_in,
)
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing

WINNER = {
    "decision_id": "d-r-1",
    "verdict": "approve",
    "decided_by": "anna",
    "decided_at": "2026-01-01T00:00:00.000000Z",
}


@pytest.fixture
def filled(console: Console, broker: Cluster, prefix: str, runs: list[Played]) -> Console:
    """Two runs to their end and one paused, interleaved, and as far as they are committed."""
    first, second, third = runs
    broker.client().publish(
        *third.events(prefix, 0, PAUSED),
        *first.events(prefix, 0, PAUSED),
        *second.events(prefix),
        *first.events(prefix, PAUSED),
    )
    return console


def test_a_run_is_published_and_watched_to_its_pause(
    console: Console, broker: Cluster, prefix: str, runs: list[Played]
) -> None:
    """`run` sends a StartRun that proves its channel, and prints the outcome with its token."""
    with standing_in(
        broker,
        f"{prefix}.commands",
        lambda sent: [
            *runs[0].events(prefix, 0, PAUSED),
            reply(prefix, sent, run_id="r-1", seq=1),
        ],
    ) as came:
        outcome = console.json("run", "policy", "--run-id", "r-1", "--input", '{"title": "r-1"}')

    (sent,) = came
    body = {"recipe": "policy", "run_id": "r-1", "input": {"title": "r-1"}, "type": "StartRun"}
    assert (outcome["status"], outcome["seq"], outcome["token"]) == ("paused", 3, runs[0].token)
    assert (sent.key, json.loads(sent.value or b"")) == (b"r-1", body)
    assert proven_channel(KEYS, sent.headers, sent.value or b"") == "cli"
    assert sent.named["ce_type"] == b"hitl.v1.StartRun"


def test_a_decision_is_published_and_watched_to_the_end(
    console: Console, broker: Cluster, prefix: str, runs: list[Played]
) -> None:
    """`decide` prints the outcome of the whole run, what was before the decision included."""
    broker.client().publish(*runs[0].events(prefix, 0, PAUSED))
    with standing_in(
        broker,
        f"{prefix}.decisions",
        lambda sent: [reply(prefix, sent, run_id="r-1", seq=4), *runs[0].events(prefix, PAUSED)],
    ) as came:
        outcome = console.json("decide", runs[0].token, "approve", "--by", "anna", "--id", "d-1")

    (sent,) = came
    assert (outcome["status"], outcome["artefact"]["result"]) == ("ok", "published r-1")
    assert outcome["trace"][0]["seq"] == 1
    assert (sent.key, json.loads(sent.value or b"")["decision_id"]) == (b"r-1", "d-1")


def test_a_run_is_driven_by_an_engine_elsewhere(console: Console) -> None:
    """`hitl-engine` does what the command line asks for; what was recorded verifies and replays."""
    console.environment["HITL_STATE_DIR"] = str(console.folder / "state")
    with engine(console):
        paused = console.json("run", "policy", "--run-id", "r-1", "--input", '{"title": "Leave"}')
        decided = console.json("decide", paused["token"], "approve", "--id", "d-1")
        repeated = console.json("decide", paused["token"], "approve", "--id", "d-1")
        late = console.hitl("decide", paused["token"], "deny", "--json")
        unknown = console.hitl("run", "nothing", "--json")

    assert (paused["status"], decided["status"], repeated) == ("paused", "ok", decided)
    assert (late.code, late.json["diagnostics"][0]["code"]) == (1, "resume.token_used")
    assert late.json["diagnostics"][0]["data"]["winner"]["decision_id"] == "d-1"
    assert (unknown.code, unknown.json["diagnostics"][0]["code"]) == (1, "command.unknown_recipe")
    assert console.json("verify") == {"runs": 1, "events": 7, "errors": []}
    assert [each["result"] for each in console.json("replay")] == ["ok"]


def test_a_repeat_shows_the_run_as_it_is_now(
    filled: Console, broker: Cluster, prefix: str, runs: list[Played]
) -> None:
    """The answer names an old event; the outcome is that of the last."""
    with standing_in(
        broker,
        f"{prefix}.commands",
        lambda sent: [reply(prefix, sent, run_id="r-1", seq=1)],
    ):
        outcome = filled.json("run", "policy", "--run-id", "r-1", "--input", '{"title": "r-1"}')

    assert (outcome["status"], outcome["seq"]) == ("ok", len(runs[0].values))


def test_a_refusal_names_the_winner(
    filled: Console, broker: Cluster, prefix: str, runs: list[Played]
) -> None:
    """Exit 1, the reason and the winner of the answer, and the run as it was."""
    refused = {"reason": "token_used", "message": "the gate is closed", "winner": WINNER}
    with standing_in(broker, f"{prefix}.decisions", lambda sent: [reply(prefix, sent, **refused)]):
        said = filled.hitl("decide", runs[0].token, "deny", "--json")

    (diagnostic,) = said.json["diagnostics"]
    assert (said.code, said.json["run_id"], diagnostic["code"]) == (1, "r-1", "resume.token_used")
    assert diagnostic["data"] == {"reason": "token_used", "winner": WINNER}


def test_a_forged_token_is_answered_too(console: Console, broker: Cluster, prefix: str) -> None:
    """Nobody knows its run: it is published without a key and refused by whoever reads it."""
    refused = {"reason": "invalid_token", "message": "forged", "winner": None}
    with standing_in(
        broker, f"{prefix}.decisions", lambda sent: [reply(prefix, sent, **refused)]
    ) as came:
        said = console.hitl("decide", "hitl_AAAA", "deny", "--json")

    assert came[0].key is None
    assert (said.code, said.json["run_id"]) == (1, None)
    assert said.json["diagnostics"][0]["code"] == "resume.invalid_token"


def test_without_an_engine_the_record_stays_accepted(
    console: Console, broker: Cluster, prefix: str
) -> None:
    """After `--timeout` the exit code is 5 and the status `running`; the record is there."""
    said = console.hitl("run", "policy", "--run-id", "r-1", "--timeout", "1s", "--json")

    (sent,) = broker.client().read(f"{prefix}.commands")
    assert (said.code, said.json["status"], said.json["run_id"]) == (5, "running", "r-1")
    assert len(said.err.splitlines()) == 1
    assert sent.key == b"r-1"


def test_no_wait_prints_the_ids(console: Console, broker: Cluster, prefix: str) -> None:
    """`run_id` and `decision_id`, by which it can be asked for later; nothing is waited for."""
    token = KEYS.issue("r-9", 3, bytes(8), KEYS.kid) or ""
    started = json.loads(console.hitl("run", "policy", "--no-wait").out)
    decided = json.loads(console.hitl("decide", token, "approve", "--no-wait").out)
    console.json("cancel", "r-9", "--reason", "late", "--no-wait")
    console.json("unblock", "r-9", "--no-wait")

    commands = {
        record.named["ce_type"]: json.loads(record.value or b"")
        for record in broker.client().read(f"{prefix}.commands")
    }
    (decision,) = broker.client().read(f"{prefix}.decisions")
    assert commands[b"hitl.v1.StartRun"]["run_id"] == started["run_id"]
    assert commands[b"hitl.v1.CancelRun"] == {
        "type": "CancelRun",
        "run_id": "r-9",
        "reason": "late",
    }
    assert commands[b"hitl.v1.UnblockRun"] == {"type": "UnblockRun", "run_id": "r-9"}
    assert json.loads(decision.value or b"")["decision_id"] == decided["decision_id"]
    assert (started["decision_id"], decided["run_id"]) == (None, "r-9")


def test_an_interrupt_ends_the_wait(console: Console, broker: Cluster, prefix: str) -> None:
    """Ctrl-C while a run is waited for: exit 130, one line that names it; what was sent stays."""
    process = console.begin("run", "policy")
    until(lambda: broker.client().read(f"{prefix}.commands"), "the start was sent")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    (sent,) = broker.client().read(f"{prefix}.commands")

    run_id = json.loads(sent.value or b"")["run_id"]
    assert (process.returncode, len(err.splitlines())) == (130, 1), err
    assert f"`hitl show {run_id}" in err


def test_an_interrupted_decision_is_named(
    console: Console, broker: Cluster, prefix: str, runs: list[Played]
) -> None:
    """Ctrl-C while a decision is waited for: the line and the document name run and decision."""
    process = console.begin("decide", runs[0].token, "approve", "--json")
    until(lambda: broker.client().read(f"{prefix}.decisions"), "the decision was sent")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    (sent,) = broker.client().read(f"{prefix}.decisions")

    decision_id = json.loads(sent.value or b"")["decision_id"]
    data = json.loads(out)["diagnostics"][0]["data"]
    assert (process.returncode, data) == (130, {"run_id": "r-1", "decision_id": decision_id})
    assert f"(decision id {decision_id})" in err
    assert runs[0].token not in err


def test_views_are_folded_from_the_topic(filled: Console, runs: list[Played]) -> None:
    """`runs` in the order of their start, `pending` with tokens, `show`, `trace`, `explain`."""
    listed = filled.json("runs", "--from-topic")
    (gate,) = filled.json("pending")
    shown = filled.json("show", "r-1", "--at", "3")
    trace = filled.json("trace", "a-2")
    explained = filled.json("explain", runs[2].token)

    assert [(row["run_id"], row["status"]) for row in listed] == [
        ("r-1", "ok"),
        ("a-2", "ok"),
        ("z-3", "paused"),
    ]
    assert (gate["run_id"], gate["token"]) == ("z-3", runs[2].token)
    assert (shown["status"], shown["seq"], shown["token"]) == ("paused", 3, runs[0].token)
    assert [entry["kind"] for entry in trace][-1] == "run.end"
    assert (explained["gate_id"], explained["verdict"]) == ("z-3.3", "pending")


def test_an_audit_is_folded_from_the_topic(filled: Console) -> None:
    """Decisions of all partitions in the order of the starts; reviews and their rounds."""
    listed = filled.json("audit", "--from-topic")
    some = filled.hitl("audit", "--verdict", "deny", "--format", "csv").out
    (page,) = filled.json("show", "z-3", "--gate", "review")["reviews"]
    then = filled.json("show", "r-1", "--time", page["opened_at"])
    same = filled.json("show", "r-1", "--diff", "review:1", "review")

    assert [(row["run_id"], row["verdict"], row["channel"]) for row in listed] == [
        ("r-1", "approve", "runtime"),
        ("a-2", "approve", "runtime"),
    ]
    assert len(some.splitlines()) == 1
    assert (page["gate_id"], page["status"], page["draft"]["title"]) == ("z-3.3", "pending", "z-3")
    assert then["run_id"] == "r-1"
    assert same["changes"] == []


def test_what_is_not_there_is_told_as_ever(filled: Console) -> None:
    """An unknown run and a forged token are exit 1, as in a data directory."""
    unknown = filled.hitl("trace", "nobody", "--json")
    forged = filled.hitl("explain", "hitl_AAAA", "--json")

    assert (unknown.code, unknown.json["diagnostics"][0]["code"]) == (1, "command.unknown_run")
    assert (forged.code, forged.json["diagnostics"][0]["code"]) == (1, "resume.invalid_token")


def test_an_export_says_where_its_events_stand(
    filled: Console, broker: Cluster, prefix: str, runs: list[Played]
) -> None:
    """Lines bear partition and offset, a run's together, and verify without the cluster."""
    filled.json("export", "-o", "all.jsonl")
    replayed = filled.json("replay")
    del filled.environment["HITL_KAFKA_BOOTSTRAP"]
    checked = filled.json("verify", "all.jsonl")

    lines = [json.loads(line) for line in (filled.folder / "all.jsonl").read_text().splitlines()]
    stored = {
        record.value: (record.partition, record.offset)
        for record in broker.client().read(f"{prefix}.events")
    }
    values = [each for run in runs[:2] for each in run.values] + [*runs[2].values[:PAUSED]]
    assert [(line["partition"], line["offset"]) for line in lines[:-1]] == [
        stored[each] for each in values
    ]
    assert checked == {"runs": 3, "events": len(values), "errors": []}
    assert [each["result"] for each in replayed] == ["ok"] * 3


def test_an_export_imported_at_a_desk_shows_the_same_outcomes(
    filled: Console, tmp_path: Path
) -> None:
    """What the cluster says of its runs, a folder says that was filled from the export alone."""
    asked = (
        ("runs",),
        *(("show", run_id) for run_id in ("r-1", "a-2", "z-3")),
        ("audit",),
        ("pending",),
    )
    there = [filled.json(*each) for each in asked]
    page, table = (filled.hitl("export", "--format", form).out for form in ("html", "csv"))
    filled.json("export", "--from-topic", "-o", "all.jsonl")
    del filled.environment["HITL_KAFKA_BOOTSTRAP"]
    desk = ("--dir", str(tmp_path / "desk"))
    filled.json("import", "all.jsonl", *desk)

    assert [filled.json(*each, *desk) for each in asked] == there
    assert filled.hitl("export", "--format", "csv", *desk).out == table
    assert "Partition, offset" in page


def test_open_runs_are_checked_before_a_release(filled: Console) -> None:
    """Read from the topic by several processes; a report of what the new code would break."""
    fits = filled.json("replay", "--open-only", "--jobs", "2")
    filled.rewrite("run.step(write, request)", "run.step(publish, request)")
    said = filled.hitl("replay", "--open-only", "--jobs", "2", "--report", "report.jsonl")

    report = (filled.folder / "report.jsonl").read_text(encoding="utf-8").splitlines()
    divergence, summary = map(json.loads, report)
    assert [(each["run_id"], each["result"]) for each in fits] == [("z-3", "ok")]
    assert said.code == 3
    assert (divergence["run_id"], divergence["at_seq"]) == ("z-3", 2)
    assert summary["results"] == {"ok": 0, "diverged": 1}


def test_verify_names_what_was_changed(
    filled: Console, broker: Cluster, prefix: str, runs: list[Played]
) -> None:
    """Exit 4: a repeated event, a record that is none, and one under the key of another run."""
    sound = filled.json("verify")
    broker.client().publish(
        runs[0].events(prefix)[1],
        Outgoing(topic=f"{prefix}.events", key=b"a-2", value=b"junk"),
        Outgoing(topic=f"{prefix}.events", key=b"b", value=runs[1].values[-1]),
    )
    said = filled.hitl("verify", "--json")

    told = {(each["run_id"], each["seq"]) for each in said.json["errors"]}
    assert (sound["runs"], sound["errors"]) == (3, [])
    assert said.code == 4
    assert {("r-1", 2), (None, None)} <= told
    assert sum("as key, found another" in each["problem"] for each in said.json["errors"]) == 2
    assert filled.json("verify", "z-3")["errors"] == []


def test_what_is_not_committed_is_not_seen(
    console: Console, broker: Cluster, prefix: str, runs: list[Played]
) -> None:
    """An engine that died in a transaction leaves events that never happened."""
    producer = broker.client().producer(transactional_id=f"{prefix}.open")
    producer.init_transactions(30)
    producer.begin_transaction()
    for record in runs[0].events(prefix):
        producer.produce(record.topic, record.value, record.key)
    producer.flush(30)
    during = console.json("runs")
    producer.abort_transaction(30)
    broker.client().publish(*runs[2].events(prefix))

    assert during == []
    assert [row["run_id"] for row in console.json("runs")] == ["z-3"]
