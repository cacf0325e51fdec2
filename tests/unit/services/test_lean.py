"""What a process leaves out of its memory."""

import subprocess
import sys

import pytest

SAYS = "print('rich' in sys.modules)"


@pytest.mark.parametrize(
    ("first", "told"), [("", ["False", "True"]), ("import rich; ", ["True", "True"])]
)
def test_a_process_loads_no_rich(first: str, told: list[str]) -> None:
    """Whoever asks for it finds it all the same, and who has it keeps it."""
    code = f"{first}import sys, hitl_services.logs; {SAYS}; import rich.console; {SAYS}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == told


@pytest.mark.parametrize("name", ["engine", "projector"])
def test_none_of_ours_asks_for_it(name: str) -> None:
    """All that a process needs is there without it."""
    code = f"import sys, hitl_services.{name}.service; {SAYS}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
