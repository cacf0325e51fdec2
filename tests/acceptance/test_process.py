"""The frame of a long-lived process: signals, bounds, exit codes, one line for each error."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.acceptance.child import KEY, asked, child

SCRIPT = "process_child.py"
HEAVY = ("aiokafka", "asyncio", "fastavro", "prometheus_client", "psycopg", "pydantic", "structlog")


@pytest.mark.parametrize("name", ["engine", "projector"])
def test_help_imports_no_driver(name: str) -> None:
    """`--help` of a process answers before anything heavy is loaded."""
    code = (
        f"import atexit, sys; from hitl_services.{name}.main import main\n"
        f"atexit.register(lambda: print([n for n in {HEAVY!r} if n in sys.modules]))\n"
        "main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith(f"usage: hitl-{name}")
    assert done.stdout.endswith("[]\n")


@pytest.fixture
def hangup() -> Generator[None]:
    """Processes that are started here hear it, even where `nohup` began these tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_with_0(tmp_path: Path, number: signal.Signals) -> None:
    """The first of them lets the work end; nothing is left open, nothing warned of."""
    with child(tmp_path, SCRIPT, "idle") as process:
        process.until("working")
        process.signal(number)

        assert process.ended(within_s=10) == 0
    names = [json.loads(line)["event"] for line in process.said if line.startswith("{")]
    assert names == ["process.started", "process.stopping", "process.stopped"]


def test_a_signal_before_anything_began_ends_it_with_0(tmp_path: Path) -> None:
    """While it still starts there is nothing to drain: it ends as soon as it is up."""
    with child(tmp_path, SCRIPT, "slow-to-prepare") as process:
        process.until("preparing")
        process.signal(signal.SIGTERM)

        assert process.ended(within_s=10) == 0
    assert "working" not in process.said


def test_a_signal_while_it_connects_ends_it_with_0(tmp_path: Path) -> None:
    """A broker that does not answer is no error of a process that is told to end."""
    with child(tmp_path, SCRIPT, "opening", HITL_METRICS_PORT="0") as process:
        port = process.until("metrics.listening")["port"]
        process.until("working")
        assert asked(port, "/readyz")[0] == 503
        process.signal(signal.SIGTERM)

        assert process.ended(within_s=10) == 0


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Work that does not end is left as it is: 130."""
    with child(tmp_path, SCRIPT, "clinging", "drain_s=60", "end_s=60") as process:
        process.until("working")
        process.signal(signal.SIGTERM)
        process.until("process.stopping")
        process.signal(signal.SIGTERM)

        assert process.ended(within_s=10) == 130


def test_a_signal_at_the_very_end_changes_no_exit_code(tmp_path: Path) -> None:
    """Once it has told its exit code, that is what its supervisor hears."""
    with child(tmp_path, SCRIPT, "leaving") as process:
        process.until("working")
        process.signal(signal.SIGTERM)
        process.until("leaving at last")
        process.signal(signal.SIGTERM)

        assert process.ended(within_s=10) == 0


def test_work_that_hears_no_stop_is_cancelled(tmp_path: Path) -> None:
    """Once its time is over it is cancelled, and the exit code says so."""
    with child(tmp_path, SCRIPT, "deaf", "drain_s=0.2") as process:
        process.until("working")
        process.signal(signal.SIGTERM)

        assert process.ended(within_s=10) == 70
    assert any("process.killed" in line for line in process.said)


def test_work_that_hears_nothing_is_left_behind(tmp_path: Path) -> None:
    """A lost cancellation does not keep the process: it exits in the time it has."""
    with child(tmp_path, SCRIPT, "clinging", "drain_s=0.2", "end_s=1") as process:
        process.until("working")
        process.signal(signal.SIGTERM)

        assert process.ended(within_s=10) == 70
    assert any("process.killed" in line for line in process.said)


def test_an_event_loop_that_stands_still_ends_it(tmp_path: Path) -> None:
    """The watch sees it, says where, and exits with 70."""
    with child(tmp_path, SCRIPT, "standing", "stall_s=1") as process:
        stalled = process.until("process.stalled")

        assert "process_child.py" in stalled["where"]
        assert "standing" in stalled["where"]
        assert process.ended(within_s=10) == 70


def test_livez_says_that_the_loop_stands_still(tmp_path: Path) -> None:
    """While the loop is stuck the port still answers, and says no."""
    bounds = ("stall_s=60", "live_s=0.1")
    with child(tmp_path, SCRIPT, "standing", *bounds, HITL_METRICS_PORT="0") as process:
        port = process.until("metrics.listening")["port"]
        process.until("working")

        statuses = {asked(port, "/livez")[0] for _ in range(200)}
    assert 503 in statuses


def test_a_process_that_was_frozen_goes_on(tmp_path: Path) -> None:
    """SIGSTOP for longer than a stall may take is no stall of the loop."""
    with child(tmp_path, SCRIPT, "idle", "stall_s=0.5", HITL_METRICS_PORT="0") as process:
        port = process.until("metrics.listening")["port"]
        process.signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError), socket.create_connection(("127.0.0.1", port)) as frozen:
            frozen.settimeout(1.5)
            frozen.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            frozen.recv(1)
        process.signal(signal.SIGCONT)

        assert 200 in (asked(port, "/readyz")[0] for _ in range(200))
        process.signal(signal.SIGTERM)
        assert process.ended(within_s=10) == 0


def test_a_thread_that_is_left_does_not_keep_it(tmp_path: Path) -> None:
    """A step's thread cannot be ended; the process ends without it, as it would have."""
    with child(tmp_path, SCRIPT, "threaded", "close_s=0.5") as process:
        assert process.ended(within_s=15) == 0


def test_an_error_of_ours_is_one_line_and_its_code(tmp_path: Path) -> None:
    """No broker: 5, a line for people, one for the log, no traceback."""
    with child(tmp_path, SCRIPT, "unreachable") as process:
        assert process.ended() == 5

    plain = [line for line in process.said if not line.startswith("{")]
    failed = [json.loads(line) for line in process.said if "process.failed" in line]
    assert plain == ["working", "hitl-child: expected a broker at nowhere:1, found none; start it"]
    assert [line["exit_code"] for line in failed] == [5]


def test_a_defect_is_told_without_its_secrets(tmp_path: Path) -> None:
    """70, the place and the text of the error; tokens and keys are masked in it."""
    with child(tmp_path, SCRIPT, "defective") as process:
        assert process.ended() == 70

    (defect,) = (json.loads(line) for line in process.said if "process.defect" in line)
    assert defect["error"] == "ZeroDivisionError: with hitl_... and ***"
    assert "defective" in defect["where"]
    said = "\n".join(process.said)
    assert "Traceback" not in said
    assert KEY not in said
    assert "ttttt" not in said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HITL_METRICS_PORT", "70000"),
        ("HITL_LOG_LEVEL", "loud"),
        ("HITL_TOKEN_KEY", "short"),
        ("HITL_ENDED_KEEP", "soon"),
    ],
)
def test_a_bad_setting_is_one_line(tmp_path: Path, name: str, text: str) -> None:
    """2, and the variable is named; nothing has begun."""
    with child(tmp_path, SCRIPT, "idle", **{name: text}) as process:
        assert process.ended() == 2

    (line,) = process.said
    assert line.startswith("hitl-child: expected ")
    assert name in line


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    """2, with the variable and the port."""
    with socket.create_server(("", 0)) as held:
        port = str(held.getsockname()[1])
        with child(tmp_path, SCRIPT, "idle", HITL_METRICS_PORT=port) as process:
            assert process.ended() == 2

    (line,) = process.said
    assert f"HITL_METRICS_PORT to be a free port, found {port}" in line
