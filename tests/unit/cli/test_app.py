"""What `--help` says is what the commands do."""

from __future__ import annotations

import pytest

from hitl_services.cli.main import run_line


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("--help", "HITL_READ_MODEL"),
        ("pending --help", "the topic of events, also where HITL_READ_MODEL is set."),
        ("dead-letters replay --help", "(on a cluster its topic keeps it)"),
    ],
)
def test_help_says_what_a_cluster_does(
    line: str, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The read model is a setting, `--from-topic` passes it by, and a topic forgets by itself."""
    run_line(line.split())

    assert part in " ".join(capsys.readouterr().out.split())
