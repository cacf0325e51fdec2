"""Sizes that keep a module readable in one sitting; all offenders are named at once."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for top in ("hitl_events", "services") for path in (ROOT / top).rglob("*.py"))

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
PARAMETERS_MAX = 6
NESTING_MAX = 3
MEDIAN_MODULE_LINES_MAX = 150

Function = ast.FunctionDef | ast.AsyncFunctionDef
LOOPS = ast.For | ast.AsyncFor | ast.While
BLOCKS = ast.If | LOOPS | ast.With | ast.AsyncWith | ast.Try | ast.TryStar | ast.Match


def _line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _functions(*, excused: str | None = None) -> Iterator[tuple[str, Function]]:
    """Every function with the place where it stands, but those excused there from that rule."""
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, Function):
                head = lines[node.lineno - 1 : node.body[0].lineno]
                if excused is None or not any(excused in line for line in head):
                    yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def _parameters(function: Function) -> int:
    """The parameters that a caller writes: not the receiver of a method."""
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len([each for each in named if each.arg not in {"self", "cls"}])


def _is_elif(parent: ast.AST, child: ast.AST) -> bool:
    return isinstance(parent, ast.If) and isinstance(child, ast.If) and parent.orelse == [child]


def _nesting(node: ast.AST, depth: int = 0) -> int:
    """Blocks around the innermost statement; an inner function counts for itself."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            continue
        deeper = isinstance(child, BLOCKS) and not _is_elif(node, child)
        deepest = max(deepest, _nesting(child, depth + deeper))
    return deepest


def test_files_fit_in_one_sitting() -> None:
    """No file is longer than 400 lines, of tests and tools neither."""
    others = [
        path for top in ("tests", "benchmarks", "examples") for path in (ROOT / top).rglob("*.py")
    ]
    long = {str(path.relative_to(ROOT)): _line_count(path) for path in [*SOURCES, *others]}

    assert {path: lines for path, lines in long.items() if lines > FILE_LINES_MAX} == {}


def test_functions_fit_on_one_screen() -> None:
    """No function is longer than 50 lines, its docstring included."""
    long = {place: (node.end_lineno or 0) - node.lineno + 1 for place, node in _functions()}

    assert {place: lines for place, lines in long.items() if lines > FUNCTION_LINES_MAX} == {}


def test_functions_take_few_parameters() -> None:
    """No function takes more than 6 parameters, but one that is excused with a reason."""
    many = {place: _parameters(node) for place, node in _functions(excused="PLR0913")}

    assert {place: count for place, count in many.items() if count > PARAMETERS_MAX} == {}


def test_functions_are_flat() -> None:
    """No statement stands in more than 3 blocks of its function."""
    deep = {place: _nesting(node) for place, node in _functions()}

    assert {place: depth for place, depth in deep.items() if depth > NESTING_MAX} == {}


def test_modules_are_small() -> None:
    """Half of the library's modules have at most 150 lines."""
    modules = [path for path in SOURCES if path.name != "__init__.py"]

    assert statistics.median(_line_count(path) for path in modules) <= MEDIAN_MODULE_LINES_MAX


@pytest.mark.parametrize(
    ("source", "depth"),
    [
        ("def f():\n  return 1", 0),
        ("def f():\n  if a:\n    b\n  elif c:\n    d\n  else:\n    e", 1),
        ("def f():\n  for a in b:\n    if c:\n      with d:\n        e", 3),
        ("def f():\n  if a:\n    b\n  else:\n    x\n    if c:\n      d", 2),
        ("def f():\n  if a:\n    def g():\n      if b:\n        c", 1),
    ],
)
def test_nesting_is_counted_in_blocks(source: str, depth: int) -> None:
    """The measure itself: an elif is no deeper than its if, an inner function starts anew."""
    assert _nesting(ast.parse(source).body[0]) == depth
