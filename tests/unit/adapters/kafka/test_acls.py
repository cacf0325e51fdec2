"""The rights of each process, as commands and as JSON."""

from __future__ import annotations

import json
import shlex

from hitl_events.adapters.kafka.acls import PROCESSES, acls, as_json, commands
from hitl_events.adapters.kafka.topics import Topics

TOPICS = Topics("hitl")


def test_the_engine_needs_no_more_than_this() -> None:
    """Read and write where it owns, write where it answers, its group, its transactions."""
    found = {(each.name, each.operations) for each in acls("engine", TOPICS, "g")}

    assert found == {
        ("hitl.commands", ("READ", "WRITE")),
        ("hitl.decisions", ("READ", "WRITE")),
        ("hitl.events", ("READ", "WRITE")),
        ("hitl.checkpoints", ("READ", "WRITE")),
        ("hitl.replies", ("WRITE",)),
        ("hitl.dead-letters", ("WRITE",)),
        ("g", ("READ",)),
        ("hitl.events.", ("WRITE",)),
    }


def test_who_only_publishes_can_only_publish() -> None:
    """An external system writes to the two inbound topics and reads nothing."""
    found = acls("publisher", TOPICS, "g")

    assert [each.name for each in found] == ["hitl.commands", "hitl.decisions"]
    assert {each.operations for each in found} == {("WRITE",)}


def test_who_audits_can_only_read_events() -> None:
    """A release check or an export writes nothing, joins no group, and sees no token."""
    (found,) = acls("auditor", TOPICS, "g")

    assert (found.resource, found.name, found.operations) == ("topic", "hitl.events", ("READ",))


def test_commands_are_those_of_kafkas_own_tool() -> None:
    """One line per resource, quoted for the shell; prefixed ids say so."""
    allowed = {"User:CN=my engine": acls("engine", TOPICS, "g")}
    lines = [shlex.split(line) for line in commands(allowed, "h:1").splitlines()]

    assert len(lines) == len(allowed["User:CN=my engine"])
    assert {tuple(line[:8]) for line in lines} == {
        (
            "kafka-acls.sh",
            "--bootstrap-server",
            "h:1",
            "--command-config",
            "admin.properties",
            "--add",
            "--allow-principal",
            "User:CN=my engine",
        )
    }
    assert lines[2][8:] == ["--operation", "Read", "--operation", "Write", "--topic", "hitl.events"]
    assert lines[7][8:] == [
        *("--operation", "Write", "--transactional-id", "hitl.events."),
        *("--resource-pattern-type", "prefixed"),
    ]
    admin = commands({"User:a": acls("admin", TOPICS, "g")}, "h:1")
    assert "--operation DescribeConfigs" in admin


def test_json_has_the_same_rights() -> None:
    """One document: a list of principal, resource, name, pattern and operations."""
    allowed = {f"User:{process}": acls(process, TOPICS, "g") for process in PROCESSES}
    found = json.loads(as_json(allowed))

    assert len(found) == sum(map(len, allowed.values()))
    assert {
        "principal": "User:engine",
        "resource": "transactional id",
        "name": "hitl.events.",
        "pattern": "prefixed",
        "operations": ["WRITE"],
    } in found
