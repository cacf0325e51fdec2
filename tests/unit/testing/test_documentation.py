"""The page docs/testing.md: what it shows is run."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "testing.md"
EXAMPLES: list[str] = re.findall(
    r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
)


def test_the_page_has_examples() -> None:
    """The examples are found, so that the test below runs something."""
    assert len(EXAMPLES) >= 4


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_what_the_page_shows_works() -> None:
    """The examples run from top to bottom, and every test in them passes."""
    names: dict[str, object] = {"__name__": "page"}
    for example in EXAMPLES:
        exec(compile(example, str(PAGE), "exec"), names)

    tests = [held for name, held in names.items() if name.startswith("test_") and callable(held)]
    assert len(tests) >= 3
    for test in tests:
        test()
