"""A run waits for a job that runs elsewhere and decides the gate when it has finished.

In a copy of this folder:

    export HITL_RECIPES=batch_job.py
    hitl run batch-job --input @request.json
    python job.py

The gate is *external*: its draft is the work order, its data the job's report. The job knows
nothing of this file; all that it needs stands in the draft.
"""

from __future__ import annotations

import csv
import os
import shutil
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from hitl_events import Run, recipe

TIME_FOR_THE_JOB = timedelta(hours=6)


class Batch(BaseModel):
    """A CSV file of orders, and the folder for what comes of it."""

    model_config = ConfigDict(extra="forbid")

    orders: Path
    results: Path


class WorkOrder(BaseModel):
    """What the job is asked to do."""

    orders: str
    orders_sha256: str
    rows: int
    results: str


class JobReport(BaseModel):
    """What the job says it did. A decision whose data does not fit this is refused."""

    model_config = ConfigDict(extra="forbid")

    accepted: int = Field(ge=0)
    rejected: int = Field(ge=0)
    totals: dict[str, str]
    clean_file: str
    clean_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    rejected_file: str


class Imported(BaseModel):
    """The end of a run whose job is done."""

    file: str
    rows: int
    rejected: int
    totals: dict[str, str]


class NotImported(BaseModel):
    """The end of a run whose job failed or did not report in time."""

    reason: str


@recipe("batch-job", version="1")
async def batch_job(run: Run, batch: Batch) -> Imported | NotImported:
    """Ask for the job, wait for it, check what it made, release it."""
    work: WorkOrder = await run.step(prepare, batch)
    job = await run.gate(
        "import-job",
        kind="external",
        draft=work,
        verdicts=("done", "failed"),
        data=JobReport,
        expires_in=TIME_FOR_THE_JOB,
        on_expiry="failed",
    )
    if job.verdict == "failed":
        return NotImported(reason=job.notes or f"no report within {TIME_FOR_THE_JOB}")
    if job.data is None:
        return NotImported(reason="the job said it was done but sent no report")
    report: JobReport = await run.step(check, work, job.data)
    file: str = await run.step(release, work, report)
    return Imported(file=file, rows=report.accepted, rejected=report.rejected, totals=report.totals)


def prepare(batch: Batch) -> WorkOrder:
    """Look at the file, make the folder, write the work order."""
    data = batch.orders.read_bytes()
    with batch.orders.open(encoding="utf-8", newline="") as file:
        rows = sum(1 for _ in csv.DictReader(file))
    if not rows:
        raise ValueError(f"expected orders in {batch.orders}, found none")
    batch.results.mkdir(parents=True, exist_ok=True)
    return WorkOrder(
        orders=str(batch.orders.resolve()),
        orders_sha256=sha256(data).hexdigest(),
        rows=rows,
        results=str(batch.results.resolve()),
    )


def check(work: WorkOrder, report: JobReport) -> JobReport:
    """Do not believe a report that its own file contradicts."""
    clean = Path(report.clean_file)
    if clean.resolve().parent != Path(work.results):
        raise ValueError(f"expected a file in {work.results}, found {clean}")
    if sha256(clean.read_bytes()).hexdigest() != report.clean_sha256:
        raise ValueError(f"expected the file that the job reported, found {clean.name} changed")
    if report.accepted + report.rejected != work.rows:
        found = f"{report.accepted} + {report.rejected}"
        raise ValueError(f"expected {work.rows} rows accounted for, found {found}")
    return report


def release(work: WorkOrder, report: JobReport) -> str:
    """Give the clean file its final name. Safe to repeat, so it needs no `once`."""
    final = Path(work.results) / "imported.csv"
    new = final.with_suffix(".new")
    shutil.copyfile(report.clean_file, new)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(final)
    return str(final)
