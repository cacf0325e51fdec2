"""`hitl checkpoint` and `verify --against`: what no chain can tell is found by what was signed."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.acceptance.console import DONE_S_MAX, HITL
from tests.acceptance.sealed import Histories, Hitl, decide, forged, histories, record
from tests.unit.audit.made import rechained

Forgery = Callable[[Histories], Histories]


class Sealed:
    """A log with two runs that ended and one that waits, its checkpoint, and the key of that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.key = folder / "key"
        self.public = folder / "key.pub"
        self.checkpoint = folder / "checkpoint"


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """What the tests look at; those that change it take a copy."""
    held = Sealed(tmp_path_factory.mktemp("sealed"))
    asyncio.run(record(held.data, ["one", "two"], ["waiting"]))
    for line in (
        ["checkpoint", "--new-key", held.key],
        ["checkpoint", "--sign", held.key, "-o", held.checkpoint, "--dir", held.data],
    ):
        subprocess.run([HITL, *map(str, line)], check=True, capture_output=True, timeout=DONE_S_MAX)
    return held


def _without(run_id: str) -> Forgery:
    return lambda held: {each: values for each, values in held.items() if each != run_id}


def _cut(run_id: str) -> Forgery:
    return lambda held: {**held, run_id: held[run_id][:-2]}


def _rewritten(run_id: str) -> Forgery:
    return lambda held: {**held, run_id: tuple(rechained(held[run_id], draft_3=b'"harmless"'))}


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(
    ("forgery", "at", "part"),
    [
        (_without("two"), ("two", 1), "found none of it"),
        (_cut("one"), ("one", 4), "found the last to be 3: the tail was cut"),
        (_rewritten("one"), ("one", 5), "the run was rewritten"),
        (_rewritten("waiting"), ("waiting", 3), "the run was rewritten"),
    ],
)
def test_what_a_chain_can_not_tell_is_found(  # noqa: PLR0913, PLR0917 - fixtures and the table above
    forgery: Forgery,
    at: tuple[str, int],
    part: str,
    jobs: str,
    sealed: Sealed,
    tmp_path: Path,
    hitl: Hitl,
) -> None:
    """A run removed, cut or rewritten, with all digests made anew, is named with its event."""
    place = forged(forgery(histories(sealed.data)), tmp_path / "forged")
    assert hitl("verify", "--dir", place)[0] == 0

    code, report, line = hitl(
        "verify", "--dir", place, "--against", sealed.checkpoint, "--jobs", jobs
    )

    (error,) = report["errors"]
    assert (code, error["run_id"], error["seq"]) == (4, *at)
    assert (part in error["problem"], part in line) == (True, True)
    file = place.with_suffix(".jsonl")
    assert hitl("verify", file, "--against", sealed.checkpoint)[1]["errors"] == [error]


def test_a_read_model_hides_nothing(sealed: Sealed, tmp_path: Path, hitl: Hitl) -> None:
    """A run that was removed is missed also where a read model agrees with what is left."""
    place = forged(_without("two")(histories(sealed.data)), tmp_path / "forged")
    assert hitl("rebuild", "--dir", place)[0] == 0

    code, report, _ = hitl("verify", "--dir", place, "--against", sealed.checkpoint)

    assert (code, [each["run_id"] for each in report["errors"]]) == (4, ["two"])


def test_what_came_since_is_no_change(sealed: Sealed, tmp_path: Path, hitl: Hitl) -> None:
    """Runs that went on and runs that began after the checkpoint are as they should be."""
    data = shutil.copytree(sealed.data, tmp_path / "data")
    asyncio.run(decide(data, "waiting"))
    asyncio.run(record(data, ["new"]))
    against = ("--against", sealed.checkpoint, "--key", sealed.public)

    code, report, _ = hitl("verify", "--dir", data, *against)

    assert (code, report["runs"], report["errors"]) == (0, 4, [])
    assert report["checkpoint"]["runs"] == 3
    assert hitl("verify", "two", "--dir", data, *against)[0] == 0


def test_files_hold_the_runs_together(sealed: Sealed, tmp_path: Path, hitl: Hitl) -> None:
    """A run may be in any of the files that are named; one that is in none is missing."""
    parts: list[Path] = []
    for run_id in ("one", "two", "waiting"):
        parts.append(tmp_path / f"{run_id}.jsonl")
        hitl("export", run_id, "-o", parts[-1], "--dir", sealed.data)

    whole = hitl("verify", *parts, "--against", sealed.checkpoint, "--jobs", "3")
    code, report, _ = hitl("verify", *parts[:2], "--against", sealed.checkpoint)

    assert (whole[0], whole[1]["runs"]) == (0, 3)
    assert (code, [each["run_id"] for each in report["errors"]]) == (4, ["waiting"])


def test_every_damaged_checkpoint_is_refused(sealed: Sealed, tmp_path: Path, hitl: Hitl) -> None:
    """A byte changed, a line removed, doubled, moved or cut: it is not compared with at all."""
    lines = sealed.checkpoint.read_bytes().splitlines(keepends=True)
    file = tmp_path / "checkpoint"
    damaged = [[*lines[:at], *lines[at + 1 :]] for at in range(len(lines))]
    damaged += [[*lines[: at + 1], *lines[at:]] for at in range(len(lines))]
    damaged += [[lines[0], lines[2], lines[1], *lines[3:]], [b""], [*lines, b"\n"]]
    for at, line in enumerate(lines):
        for spot in range(1, len(line), 23):
            flipped = line[:spot] + bytes([line[spot] ^ 1]) + line[spot + 1 :]
            damaged.append([*lines[:at], flipped, *lines[at + 1 :]])

    missed: list[bytes] = []
    for each in damaged:
        file.write_bytes(b"".join(each))
        code, report, _ = hitl("verify", "--dir", sealed.data, "--against", file)
        if code != 4 or (report["runs"], report["errors"][0]["run_id"]) != (0, None):
            missed.append(b"".join(each))

    assert missed == []


def test_a_checkpoint_of_another_key_is_refused(sealed: Sealed, tmp_path: Path, hitl: Hitl) -> None:
    """Who removes a run and signs anew, with a key of his own, is found by the key."""
    place = forged(_without("two")(histories(sealed.data)), tmp_path / "forged")
    theirs = hitl("checkpoint", "--new-key", tmp_path / "key")[1]["public_key"]
    mine = tmp_path / "checkpoint"
    hitl("checkpoint", "--sign", tmp_path / "key", "-o", mine, "--dir", place)

    unasked = hitl("verify", "--dir", place, "--against", mine)
    code, _, line = hitl("verify", "--dir", place, "--against", mine, "--key", sealed.public)

    assert (unasked[0], unasked[1]["checkpoint"]["key"]) == (0, theirs)
    assert (code, theirs in line) == (4, True)


def test_a_broken_log_is_not_signed(sealed: Sealed, tmp_path: Path, hitl: Hitl) -> None:
    """A signature would say that it is sound: what is wrong is told, and nothing written."""
    data = shutil.copytree(sealed.data, tmp_path / "data")
    held = (data / "log.db").read_bytes()
    (data / "log.db").write_bytes(held.replace(b"one", b"0ne"))

    code, _, _ = hitl("checkpoint", "--sign", sealed.key, "-o", tmp_path / "new", "--dir", data)

    assert code in {4, 5}
    assert not (tmp_path / "new").exists()


def test_a_key_is_for_its_owner_and_never_overwritten(tmp_path: Path, hitl: Hitl) -> None:
    """The private half has mode 0600, the public one is printed and lies beside it."""
    code, made, _ = hitl("checkpoint", "--new-key", tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    again = hitl("checkpoint", "--new-key", tmp_path / "key")
    (tmp_path / "other.pub").touch()
    beside = hitl("checkpoint", "--new-key", tmp_path / "other")

    assert (code, len(bytes.fromhex(made["public_key"]))) == (0, 32)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert (again[0], beside[0]) == (2, 2)
    assert (tmp_path / "key").read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["key", "key.pub", "other.pub"]


@pytest.mark.parametrize(
    ("line", "code", "part"),
    [
        (["checkpoint"], 2, "--sign KEY or --new-key FILE"),
        (["checkpoint", "--sign", "nothing", "-o", "x"], 2, "a private key in the file 'nothing'"),
        (["checkpoint", "--sign", "rsa", "-o", "x"], 2, "found a key of another kind"),
        (["checkpoint", "--sign", "locked", "-o", "x"], 2, "found one under a password"),
        (
            ["checkpoint", "--sign", "text", "-o", "x"],
            2,
            "(PKCS#8, PEM) in the file 'text', found none",
        ),
        (["checkpoint", "--sign", "key.pub", "-o", "x"], 2, "in the file 'key.pub', found none"),
        (["checkpoint", "--sign", "key", "-o", "text"], 2, "--force"),
        (["checkpoint", "--sign", "key", "-o", "no/where"], 1, "expected to write the file"),
        (["checkpoint", "--sign", "key", "-o", "x", "--dir", "nowhere"], 5, "expected a log"),
        (["checkpoint", "--sign", "key"], 2, "expected -o FILE beside --json"),
        (["checkpoint", "--new-key", "no/where"], 1, "expected to write the key"),
        (["verify", "--against", "nothing"], 2, "a checkpoint in the file 'nothing'"),
        (["verify", "--against", "."], 2, "Is a directory"),
        (["verify", "--against", "text"], 4, "expected a checkpoint of format 1"),
        (["verify", "--against", "checkpoint", "--key", "key"], 2, "found a private key"),
        (["verify", "--against", "checkpoint", "--key", "rsa.pub"], 2, "another kind"),
        (["verify", "--key", "key.pub"], 2, "expected --against"),
        (["verify", "--jobs", "0"], 2, "a number from 1 to 256"),
        (["verify", "--jobs", "1000"], 2, "a number from 1 to 256"),
    ],
)
def test_a_wrong_line_says_what_was_expected(
    line: list[str],
    code: int,
    part: str,
    sealed: Sealed,
    monkeypatch: pytest.MonkeyPatch,
    hitl: Hitl,
) -> None:
    """One line, its exit code, and no key of ours in it."""
    monkeypatch.chdir(sealed.folder)
    monkeypatch.setenv("HITL_DATA", str(sealed.data))
    _other_keys(sealed.folder)

    found, _, said = hitl(*line)

    assert (found, part in said) == (code, True), said
    assert "PRIVATE" not in said


def _other_keys(folder: Path) -> None:
    """What people mistake for a key."""
    if (folder / "rsa").exists():
        return
    (folder / "text").write_text("hello\n", encoding="utf-8")
    key = rsa.generate_private_key(65_537, 2_048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "rsa").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    locked = serialization.BestAvailableEncryption(b"secret")
    (folder / "locked").write_bytes(key.private_bytes(pem, pkcs8, locked))
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "rsa.pub").write_bytes(key.public_key().public_bytes(pem, public))


def test_a_checkpoint_on_stdout_is_the_same_file(sealed: Sealed, tmp_path: Path) -> None:
    """Without `-o` the lines go to stdout, and are a checkpoint for whoever keeps them."""
    line = [HITL, "checkpoint", "--sign", str(sealed.key), "--dir", str(sealed.data)]
    done = subprocess.run(line, check=True, capture_output=True, timeout=DONE_S_MAX)
    (tmp_path / "cp").write_bytes(done.stdout)
    ours, theirs = (
        [json.loads(each) for each in held.splitlines()]
        for held in (done.stdout, sealed.checkpoint.read_bytes())
    )
    checked = [HITL, "verify", "--dir", str(sealed.data), "--against", str(tmp_path / "cp")]

    assert ours[:-1] == theirs[:-1]
    assert ours[-1]["root"] == theirs[-1]["root"]
    assert subprocess.run(checked, check=False, timeout=DONE_S_MAX).returncode == 0
