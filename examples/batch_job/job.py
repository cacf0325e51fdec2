"""An outside job: takes work orders from open gates, does the work, decides the gates.

It links none of the library: it reads `hitl pending --json` and answers with `hitl decide`.

    python job.py            # HITL_DATA and HITL_RECIPES say where, as for `hitl`
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any

COLUMNS = ["order_id", "ordered_on", "customer", "currency", "amount"]
CURRENCIES = {"EUR", "GBP", "NOK", "PLN", "USD"}


def main() -> int:
    """Work through all open gates; not 0 if one of them could not be decided."""
    found = _hitl("pending", "--recipe", "batch-job", "--json")
    if found.returncode:
        return found.returncode  # `hitl` has said why
    orders = json.loads(found.stdout)
    if not orders:
        print("no work orders")
    return max([_serve(order) for order in orders], default=0)


def _serve(order: dict[str, Any]) -> int:
    try:
        report = _work(order["draft"])
    except (OSError, ValueError, csv.Error) as error:
        verdict, told = "failed", ["--notes", str(error)]
    else:
        verdict, told = "done", ["--data", json.dumps(report)]
    # The id makes a second delivery of this decision a repeat, not a second decision.
    name = ["--by", "order-import", "--id", f"order-import:{order['gate_id']}"]
    answer = _hitl("decide", order["token"], verdict, *told, *name, "--json")
    outcome = json.loads(answer.stdout)
    print(f"{order['run_id']}: {verdict}, the run is {outcome['status']}")
    for diagnostic in outcome["diagnostics"]:
        print(f"  {diagnostic['level']}: {diagnostic['message']}")
    return answer.returncode


def _work(draft: dict[str, Any]) -> dict[str, Any]:
    """Split the orders into clean and rejected ones and add up the clean ones."""
    source, results = Path(draft["orders"]), Path(draft["results"])
    data = source.read_bytes()
    if sha256(data).hexdigest() != draft["orders_sha256"]:
        raise ValueError(f"expected {source.name} as it was ordered, found it changed since")
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    if next(reader, None) != COLUMNS:
        raise ValueError(f"expected the columns {', '.join(COLUMNS)} in {source.name}")
    clean: dict[str, dict[str, str]] = {}
    rejected: list[dict[str, str]] = []
    for fields in reader:
        line = dict(zip(COLUMNS, fields, strict=False))
        problem = _problem(fields) or ("id used before" if line["order_id"] in clean else None)
        if problem is None:
            clean[line["order_id"]] = line
        else:
            rejected.append(line | {"problem": problem})
    _write(results / "rejected.csv", [*COLUMNS, "problem"], rejected)
    return {
        "accepted": len(clean),
        "rejected": len(rejected),
        "totals": _totals(clean.values()),
        "clean_file": str(results / "clean.csv"),
        "clean_sha256": _write(results / "clean.csv", COLUMNS, clean.values()),
        "rejected_file": str(results / "rejected.csv"),
    }


def _problem(fields: list[str]) -> str | None:
    """Why an order can not be imported; None if it can."""
    if len(fields) != len(COLUMNS):
        return f"{len(fields)} fields instead of {len(COLUMNS)}"
    _, day, _, currency, amount = fields
    missing = [name for name, held in zip(COLUMNS, fields, strict=True) if not held.strip()]
    if missing:
        return f"no {' and no '.join(missing)}"
    if currency not in CURRENCIES:
        return f"unknown currency {currency}"
    try:
        date.fromisoformat(day)
        positive = Decimal(amount) > 0
    except (ValueError, InvalidOperation):
        return "no such date or amount"
    return None if positive else "the amount is not positive"


def _totals(clean: Iterable[dict[str, str]]) -> dict[str, str]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in clean:
        sums[line["currency"]] += Decimal(line["amount"])
    return {currency: f"{amount:.2f}" for currency, amount in sorted(sums.items())}


def _write(path: Path, columns: list[str], lines: Iterable[dict[str, str]]) -> str:
    """The file, whole or not at all; gives its digest."""
    new = path.with_suffix(f".{os.getpid()}.new")  # a second job may be at work
    with new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)
        file.flush()
        os.fsync(file.fileno())
    digest = sha256(new.read_bytes()).hexdigest()
    new.replace(path)
    return digest


def _hitl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`hitl`, from beside this Python or from the path; its own complaints go to our stderr."""
    beside = Path(sys.executable).with_name("hitl")
    command = str(beside) if beside.exists() else shutil.which("hitl")
    if command is None:
        sys.exit("expected the command `hitl` on the path, found none: install hitl-events")
    return subprocess.run(
        [command, *arguments], stdout=subprocess.PIPE, text=True, check=False, timeout=600
    )


if __name__ == "__main__":
    sys.exit(main())
