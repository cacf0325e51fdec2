"""Rules of the house that no linter knows; every offender is named with its line."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("hitl_events", "services", "tests", "examples", "benchmarks")

DIRECTIVE = re.compile(
    r"#\s*(?:no[q]a|type[:]\s*ignore|pyright[:]\s*ignore|pragma[:]|fmt:\s*(?:off|skip)|mypy:|ruff:\s*no[q]a)"
    r"(?::\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*|\s*\[[\w\s,-]*\]|\s*no cover)?"
)
SAYS_A_CODE = re.compile(r"no[q]a: ?[A-Z]+[0-9]|ignore\s*\[[\w-]|pragma[:]|fmt:|mypy: ?\w")
REASON = re.compile(r"[A-Za-z]{2,}\W+[A-Za-z]{2,}")
OPEN_END = re.compile(r"\b(?:TO[D]O|FIX[M]E|X{3})\b")

REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org/simple"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("static", "crates", "io"),
        ("index", "crates", "io"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
    )
)
SLEEPERS = {"asyncio", "time", "anyio", "trio"}
PLAIN_IN_INIT = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
LAZY_IN_INIT = {"__getattr__", "__dir__"}


def _tracked() -> list[Path]:
    """The files that are in the repository, or would be with the next commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this tree is no git repository")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def _sources(*tops: str) -> list[Path]:
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.py"))


def _place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    text = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _says_why(comment: str) -> bool:
    """A code for each directive, and words beside them."""
    directives = [match.group() for match in DIRECTIVE.finditer(comment)]
    coded = all(SAYS_A_CODE.search(directive) for directive in directives)
    return coded and REASON.search(DIRECTIVE.sub("", comment)) is not None


def _sleeps(tree: ast.AST) -> Iterator[int]:
    """Lines that let time pass: a sleep of 0 only lets the others run."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="sleep", value=ast.Name(id=module)), args=args):
                if module in SLEEPERS and not _is_zero(args):
                    yield node.lineno
            case ast.ImportFrom(module=str(module), names=names):
                if module in SLEEPERS and any(name.name == "sleep" for name in names):
                    yield node.lineno
            case _:
                pass


def _is_zero(args: list[ast.expr]) -> bool:
    return len(args) == 1 and isinstance(args[0], ast.Constant) and args[0].value == 0


def _is_lazy(node: ast.stmt) -> bool:
    """The two functions by which a package re-exports late, and imports for the type checkers."""
    if isinstance(node, ast.FunctionDef):
        return node.name in LAZY_IN_INIT
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _imported(tree: ast.Module) -> set[str]:
    """The names that the module has from elsewhere."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {name.asname or name.name for name in node.names}
    return found


def _exported(tree: ast.Module) -> set[str]:
    """What `__all__` lists."""
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="__all__")], value=ast.List(elts=elts) | ast.Tuple(elts=elts)
            ):
                return {str(elt.value) for elt in elts if isinstance(elt, ast.Constant)}
            case _:
                pass
    return set()


def test_no_test_sleeps() -> None:
    """A test waits for a condition with a bound; `# sleep: REASON` marks the one that cannot."""
    offenders: list[str] = []
    for path in _sources("tests"):
        excused = {line for line, comment in _comments(path) if comment.startswith("# sleep: ")}
        lines = set(_sleeps(ast.parse(path.read_text(encoding="utf-8")))) - excused
        offenders += [_place(path, line) for line in sorted(lines)]

    assert offenders == []


def test_every_ignore_says_why() -> None:
    """Whoever silences a tool names the rule and the reason on the line."""
    offenders = [
        f"{_place(path, line)} {comment}"
        for path in _sources(*OURS)
        for line, comment in _comments(path)
        if DIRECTIVE.search(comment) and not _says_why(comment)
    ]

    assert offenders == []


def test_nothing_is_left_for_later() -> None:
    """What is not done is an issue, not a comment."""
    offenders = [
        f"{_place(path, line)} {comment}"
        for path in _sources(*OURS)
        for line, comment in _comments(path)
        if OPEN_END.search(comment)
    ]

    assert offenders == []


def test_init_only_re_exports() -> None:
    """An `__init__` holds imports and names: what it exports is made elsewhere."""
    offenders = [
        _place(path, node.lineno)
        for path in _sources("hitl_events", "services")
        if path.name == "__init__.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if not (isinstance(node, PLAIN_IN_INIT) or _is_lazy(node) or _is_docstring(node))
    ]

    assert offenders == []


def test_only_init_re_exports() -> None:
    """A name has one home: no other module passes on what it imported."""
    offenders: dict[str, set[str]] = {}
    for path in _sources("hitl_events", "services"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.name != "__init__.py" and (passed_on := _exported(tree) & _imported(tree)):
            offenders[str(path.relative_to(ROOT))] = passed_on

    assert offenders == {}


def test_every_module_says_what_it_is_for() -> None:
    """A module has a docstring, unless it is an `__init__`, which only re-exports."""
    offenders = [
        str(path.relative_to(ROOT))
        for path in _sources("hitl_events", "services")
        if path.name != "__init__.py"
        and ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]

    assert offenders == []


def test_no_file_names_a_registry_host() -> None:
    """Where packages come from is the business of the machine that installs."""
    offenders = [
        f"{path.relative_to(ROOT)} {host}"
        for path in _tracked()
        for host in REGISTRY_HOSTS
        if host in path.read_text(encoding="utf-8", errors="replace")
    ]

    assert offenders == []


@pytest.mark.parametrize("name", ["run", "kafka", "dev"])
def test_lock_pins_by_digest_and_names_no_place(name: str) -> None:
    """A lock says which bytes, never from where: no address, no path, no option."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    entries = re.findall(r"^\S.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    pins = [entry for entry in entries if not entry.startswith("#")]

    assert pins
    assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []
    assert [
        word for word in ("://", "file:", "--index", "--find-links", " @ ") if word in text
    ] == []


@pytest.mark.parametrize(
    ("comment", "fine"),
    [
        ("%N: S608 - the table name is a constant", True),
        ("%T[arg-type]  % the driver has no types", True),
        ("%T[arg-type]  %P[reportX]  % no types there", True),
        ("%N: S608", False),
        ("%N: S608, PLR2004", False),
        ("%N", False),
        ("%T  % the driver has no types", False),
        ("%T[arg-type]", False),
    ],
)
def test_reasons_are_told_from_codes(comment: str, fine: bool) -> None:
    """The measure itself: a code alone is no reason, a reason alone names no rule."""
    for mark, spelt in (("%N", "NOQA"), ("%T", "TYPE: IGNORE"), ("%P", "PYRIGHT: IGNORE")):
        comment = comment.replace(mark, f"# {spelt.lower()}")
    assert _says_why(comment.replace("%", "#")) is fine


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("await asyncio.{}(0)", []),
        ("await asyncio.{}(0.1)", [1]),
        ("import time\ntime.{}(n)", [2]),
        ("from time import {}", [1]),
        ("clock.{}(3)", []),
    ],
)
def test_sleeps_are_found(source: str, lines: list[int]) -> None:
    """The measure itself: only a real clock counts, and only if it moves."""
    assert list(_sleeps(ast.parse(source.format("sleep")))) == lines
