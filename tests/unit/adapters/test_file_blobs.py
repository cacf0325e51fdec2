import asyncio
import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from hitl_events.adapters.blobs import FileBlobs, files
from hitl_events.domain.references import reference_to
from hitl_events.errors import LogUnavailable

DATA = b'"a draft"'
REFERENCE = reference_to(DATA)


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return FileBlobs(tmp_path / "blobs")


def _refuse(code: int) -> object:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


async def test_a_blob_is_a_file_by_its_digest(blobs: FileBlobs) -> None:
    """Anybody can check the store with `sha256sum`."""
    await blobs.put(REFERENCE, DATA)

    name = REFERENCE.digest.hex()
    assert (blobs.folder / name[:2] / name).read_bytes() == DATA
    assert [path.name for path in blobs.folder.rglob("*") if path.is_file()] == [name]


async def test_content_is_on_disk_before_its_name(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the machine stops, a file that has its name is whole."""
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def told_fsync(descriptor: int) -> None:
        at = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append(f"to disk: {'folder' if at.is_dir() else 'file'}")
        fsync(descriptor)

    def told_rename(path: Path, target: Path) -> Path:
        done.append("named")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", told_fsync)
    monkeypatch.setattr(Path, "rename", told_rename)

    await blobs.put(REFERENCE, DATA)
    await blobs.put(REFERENCE, DATA)

    made = ["to disk: folder", "to disk: folder"]
    named = ["to disk: file", "named", "to disk: folder"]
    assert done == [*made, *named, "to disk: folder"]


async def test_folders_that_a_killed_process_made_are_put_on_disk(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a folder is there does not say that its name would outlive a power cut."""
    await blobs.put(REFERENCE, DATA)
    synced: list[Path] = []
    monkeypatch.setattr(files, "to_disk", synced.append)

    await FileBlobs(blobs.folder).put(REFERENCE, DATA)

    shard = blobs.path_of(REFERENCE).parent
    assert synced == [blobs.folder.parent, blobs.folder, shard]


async def test_what_was_cut_short_is_no_blob(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails leaves nothing under the name, and can be done again."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", _refuse(errno.EIO))
        with pytest.raises(LogUnavailable):
            await blobs.put(REFERENCE, DATA)
    missing = await blobs.get(REFERENCE)

    await blobs.put(REFERENCE, DATA)

    assert missing is None
    assert await blobs.get(REFERENCE) == DATA


async def test_a_full_disk_is_told_as_one(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is typed and says what to do; nothing was kept."""
    await blobs.put(reference_to(b"1"), b"1")
    monkeypatch.setattr(os, "fsync", _refuse(errno.ENOSPC))

    with pytest.raises(LogUnavailable, match="the disk is full: make room"):
        await blobs.put(REFERENCE, DATA)


async def test_a_changed_blob_is_mended_by_the_next_put(blobs: FileBlobs) -> None:
    """Who has the data brings it back."""
    await blobs.put(REFERENCE, DATA)
    blobs.path_of(REFERENCE).write_bytes(b'"another"')

    changed = await blobs.get(REFERENCE)
    await blobs.put(REFERENCE, DATA)

    assert changed == b'"another"'
    assert await blobs.get(REFERENCE) == DATA


async def test_a_file_that_grew_is_not_read_whole(blobs: FileBlobs) -> None:
    """What stands in the store in place of a blob takes no memory."""
    await blobs.put(REFERENCE, DATA)
    blobs.path_of(REFERENCE).write_bytes(DATA * 1000)

    assert len(await blobs.get(REFERENCE) or b"") == len(DATA) + 1


async def test_what_can_not_be_read_is_missing(blobs: FileBlobs) -> None:
    """Damage of one blob is that of one run."""
    blobs.path_of(REFERENCE).mkdir(parents=True)

    assert await blobs.get(REFERENCE) is None


async def test_a_pipe_in_the_place_of_a_blob_keeps_nobody_waiting(blobs: FileBlobs) -> None:
    """It holds nothing of the blob, and nobody writes into it; the next `put` mends it."""
    path = blobs.path_of(REFERENCE)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)

    try:
        async with asyncio.timeout(5):
            found = await asyncio.to_thread(blobs.read, REFERENCE)
    finally:
        with suppress(OSError):  # lets a thread go that waits for a writer
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    await blobs.put(REFERENCE, DATA)

    assert found != DATA
    assert await blobs.get(REFERENCE) == DATA


async def test_a_place_that_is_gone_is_no_missing_blob(tmp_path: Path) -> None:
    """A share that is not mounted must not block every run that has a blob."""
    blobs = FileBlobs(tmp_path / "share" / "blobs")

    with pytest.raises(LogUnavailable):
        await blobs.get(REFERENCE)
    with pytest.raises(LogUnavailable, match="is it mounted"):
        await blobs.put(REFERENCE, DATA)
    with pytest.raises(LogUnavailable, match="is it mounted"):
        blobs.check()


def test_a_folder_is_checked_before_it_is_needed(tmp_path: Path) -> None:
    """A file in its place is told at start; a folder that is free is made."""
    (tmp_path / "file").write_text("no folder")

    FileBlobs(tmp_path / "blobs").check()

    assert list((tmp_path / "blobs").iterdir()) == []
    with pytest.raises(LogUnavailable, match="expected to use"):
        FileBlobs(tmp_path / "file").check()


def test_the_line_names_the_setting_of_the_folder(tmp_path: Path) -> None:
    """That of a cluster is HITL_BLOBS, that of a data directory lies in it."""
    beside = tmp_path / "file"
    beside.touch()

    with pytest.raises(LogUnavailable, match="HITL_BLOBS"):
        FileBlobs.shared(beside / "blobs").read(REFERENCE)
    with pytest.raises(LogUnavailable, match="HITL_DATA"):
        FileBlobs(beside / "blobs").read(REFERENCE)
