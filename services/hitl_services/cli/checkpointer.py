"""`hitl checkpoint`: the heads of all runs under one signature, and keys to sign with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from hitl_events.adapters.signing import SigningKey
from hitl_events.adapters.system import SystemClock
from hitl_events.adapters.temporary import TemporaryTables
from hitl_events.audit.checkpoint import Statement, head_line, header_line, signed_line
from hitl_events.audit.merkle import Head, MerkleTree
from hitl_events.domain.values import iso
from hitl_services.cli.checkpoint_files import make_key, read_signing_key
from hitl_services.cli.files import Write, written
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.verifier import Asked, check_log, noted, problems_page
from hitl_services.failure import DONE
from hitl_services.text import counted, quoted

_TABLE = "CREATE TABLE heads (run_id TEXT NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL)"


def new_key(screen: Screen, settings: Settings, name: str) -> int:
    """Make a key; what others need of it is printed."""
    key = make_key(name)
    if settings.json:
        public = {"public_file": f"{name}.pub", "public_key": key.public.hex()}
        screen.document({"file": name, **public})
        return DONE
    said = f"{quoted(name)}, to be kept secret; public: {quoted(f'{name}.pub')}"
    screen.page([[("made", "bold green"), f"  {said}, {key.public.hex()}"]])
    screen.write(key.public_pem().decode())
    return DONE


def sign(
    screen: Screen, settings: Settings, key_file: str, output: str | None, *, force: bool
) -> int:
    """Verify all of the log, then sign what it came to; a broken log is not signed."""
    key = read_signing_key(key_file)
    at = iso(SystemClock().now())
    with closing(_Heads()) as heads:
        found = check_log(screen, settings, (), Asked(), heads=heads.add).report
        if not found.ok:
            if settings.json:
                screen.document(found.to_json())
            else:
                screen.page(problems_page(found.errors))
            return noted(screen, found, as_json=settings.json)
        if output is None:
            _write(lambda line: screen.write(line.decode()), heads, key, at)
            return DONE
        statement = written(output, lambda write: _write(write, heads, key, at), force=force)
    if settings.json:
        screen.document({"file": output, "at": at, **_told(statement)})
        return DONE
    said = f"{counted(statement.runs, 'run')}, {counted(statement.events, 'event')}"
    root = f"root {statement.root.hex()}"
    screen.page([[("signed", "bold green"), f"  {said} in {quoted(output)}, {root}"]])
    return DONE


def _told(statement: Statement) -> dict[str, object]:
    return {
        "runs": statement.runs,
        "events": statement.events,
        "root": statement.root.hex(),
        "key": statement.key.hex(),
    }


def _write(write: Write, heads: _Heads, key: SigningKey, at: str) -> Statement:
    tree = MerkleTree()
    write(header_line())
    for head in heads.by_run():
        tree.add(head)
        write(head_line(head))
    statement = Statement(
        at=at, runs=tree.runs, events=tree.events, root=tree.root(), key=key.public
    )
    write(signed_line(statement, key.sign))
    return statement


class _Heads:
    """Heads as they come, to be given by run id; spilled to a temporary file, gone when closed."""

    def __init__(self) -> None:
        self._tables = TemporaryTables(_TABLE)

    def add(self, heads: Sequence[Head]) -> None:
        """Some more."""
        rows = [(head.run_id, head.seq, head.digest) for head in heads]
        self._tables.add("INSERT INTO heads VALUES (?, ?, ?)", rows)

    def by_run(self) -> Iterator[Head]:
        """All of them by ascending id, which SQLite compares by code point as Python does."""
        ordered = self._tables.rows("SELECT run_id, seq, digest FROM heads ORDER BY run_id")
        for run_id, seq, digest in ordered:
            yield Head(run_id=run_id, seq=seq, digest=digest)

    def close(self) -> None:
        """Forget all of it."""
        self._tables.close()
