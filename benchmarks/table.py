"""The figures for people, and for programs."""

from __future__ import annotations

import gc
import json
import os
import platform
import sqlite3
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

_PIPE_COLUMNS = 140


def show(figures: Sequence[Figure]) -> None:
    """A table on stdout; ratios are medians over rounds that were measured side by side."""
    table = Table("figure", title=" · ".join(f"{key} {held}" for key, held in machine().items()))
    for column in ("best", "median", "raw", "ratio"):
        table.add_column(column, justify="right")
    table.add_column("target")
    table.add_column("met")
    for figure in figures:
        raw = figure.baseline
        table.add_row(
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            "" if figure.median is None else _number(figure.median),
            "" if raw is None else f"{_number(raw.value)} {raw.unit}",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.target,
            {True: "yes", False: "[bold red]no", None: ""}[figure.met],
        )
    console = Console()
    # A pipe has no width: nobody should have to put broken lines together again.
    (console if console.is_terminal else Console(width=_PIPE_COLUMNS)).print(table)


def dump(figures: Sequence[Figure]) -> None:
    """One JSON document on stdout."""
    found = {"machine": machine(), "figures": [figure.to_json() for figure in figures]}
    print(json.dumps(found, indent=2))


def machine() -> dict[str, str]:
    """What the figures depend on beside the code."""
    return {
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "processors": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "gc": ",".join(str(each) for each in gc.get_threshold()),
    }


def _number(held: float) -> str:
    return f"{held:,.0f}" if abs(held) >= 100 else f"{held:.3g}"
