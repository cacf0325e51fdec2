"""An outside job: takes work orders from open gates, does the work, decides the gates.

It links none of the library: it reads `hitl pending --json` and answers with `hitl decide`. Where the
job runs in another data centre the same decision is one JSON record on a topic.

    python job.py            # HITL_DATA and HITL_RECIPES say where, as for `hitl`
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any

COLUMNS = ["order_id", "ordered_on", "customer", "currency", "amount"]
CURRENCIES = {"EUR", "GBP", "NOK", "PLN", "USD"}


def main() -> int:
    """Work through all open gates; 1 if a decision was refused."""
    orders = json.loads(_hitl("pending", "--recipe", "batch-job", "--json").stdout or "[]")
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
    lines = list(csv.DictReader(data.decode().splitlines()))
    if not lines or list(lines[0]) != COLUMNS:
        raise ValueError(f"expected the columns {', '.join(COLUMNS)} in {source.name}")
    seen: set[str] = set()
    clean: list[dict[str, str]] = []
    rejected: list[dict[str, str]] = []
    for line in lines:
        problem = _problem(line, seen)
        seen.add(line["order_id"])
        if problem is None:
            clean.append(line)
        else:
            rejected.append({**line, "problem": problem})
    _write(results / "rejected.csv", [*COLUMNS, "problem"], rejected)
    return {
        "accepted": len(clean),
        "rejected": len(rejected),
        "totals": _totals(clean),
        "clean_file": str(results / "clean.csv"),
        "clean_sha256": _write(results / "clean.csv", COLUMNS, clean),
        "rejected_file": str(results / "rejected.csv"),
    }


def _problem(line: dict[str, str], seen: set[str]) -> str | None:
    """Why an order can not be imported; None if it can."""
    missing = [name for name in COLUMNS if not (line.get(name) or "").strip()]
    if missing or None in line:
        return f"missing {', '.join(missing)}" if missing else "more fields than columns"
    if line["order_id"] in seen:
        return "the order id was used before"
    if line["currency"] not in CURRENCIES:
        return f"unknown currency {line['currency']}"
    try:
        date.fromisoformat(line["ordered_on"])
        amount = Decimal(line["amount"])
    except (ValueError, InvalidOperation):
        return "no such date or amount"
    return None if amount > 0 else "the amount is not positive"


def _totals(clean: list[dict[str, str]]) -> dict[str, str]:
    sums = dict.fromkeys(sorted({line["currency"] for line in clean}), Decimal(0))
    for line in clean:
        sums[line["currency"]] += Decimal(line["amount"])
    return {currency: f"{amount:.2f}" for currency, amount in sums.items()}


def _write(path: Path, columns: list[str], lines: list[dict[str, str]]) -> str:
    """The file, whole or not at all; gives its digest."""
    new = path.with_suffix(".new")
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
    done = subprocess.run(
        [command, *arguments], stdout=subprocess.PIPE, text=True, check=False, timeout=600
    )
    if not done.stdout:
        sys.exit(done.returncode or 1)
    return done


if __name__ == "__main__":
    sys.exit(main())
