"""What users install: the wheel, built from the tree and again from the source archive."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BUILD_S_MAX = 60
"""A build takes about a second; the bound is for a machine under load."""


def _build(tree: Path, kind: str, into: Path) -> Path:
    """Build one archive without isolation, so without the network, and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    built = subprocess.run(
        command, cwd=tree, env=env, capture_output=True, text=True, timeout=BUILD_S_MAX, check=False
    )
    assert built.returncode == 0, built.stderr
    (archive,) = into.iterdir()
    return archive


def _sources(package: Path) -> set[str]:
    return {str(path.relative_to(package.parent)) for path in package.rglob("*.py")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return _build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """The files in the wheel."""
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_holds_both_packages_whole(names: set[str]) -> None:
    """Every module of the library and of the processes is in the wheel."""
    wanted = _sources(ROOT / "hitl_events") | _sources(ROOT / "services" / "hitl_services")

    assert wanted <= names


def test_wheel_is_typed(names: set[str]) -> None:
    """Users get our types."""
    assert "hitl_events/py.typed" in names


def test_wheel_holds_every_schema(names: set[str]) -> None:
    """Each schema of the tree is package data of the library."""
    wanted = {f"hitl_events/schemas/{path.name}" for path in (ROOT / "schemas").glob("*.avsc")}

    assert wanted, "expected schemas/*.avsc, found none"
    assert wanted <= names


def test_wheel_holds_nothing_else(names: set[str]) -> None:
    """Tests, examples and benchmarks stay in the tree."""
    tops = {name.split("/")[0] for name in names}

    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "hitl_events",
        "hitl_services",
    }


def test_source_archive_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Who builds from the source archive gets the wheel that we get, byte for byte."""
    archive = _build(ROOT, "sdist", tmp_path / "sdist")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "tree", filter="data")
    (tree,) = (tmp_path / "tree").iterdir()

    again = _build(tree, "wheel", tmp_path / "wheel")

    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()
