"""Exported files as they lie on disk: which lines they hold, however they are compressed."""

import gzip
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard

from hitl_events.errors import CorruptLog
from hitl_services.cli.export_files import lines_of

LINES = [b'{"seq": %d}\n' % seq for seq in range(20_000)]
WHOLE = b"".join(LINES)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_a_file_has_the_same_lines_however_it_is_compressed(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """Its first bytes tell, whatever its name says."""
    file = tmp_path / "export"
    file.write_bytes(compress(WHOLE))

    assert list(lines_of(str(file))) == LINES


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_a_pipe_is_read_like_a_file(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Once, from its beginning: nothing of it is lost to whoever looks how it is compressed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        written = pool.submit(pipe.write_bytes, compress(WHOLE))

        assert list(lines_of(str(pipe))) == LINES
        assert written.result()


@pytest.mark.parametrize("damage", ["a bit", "the end"])
def test_a_gzip_file_that_is_damaged_is_named(damage: str, tmp_path: Path) -> None:
    """What is left of it is not taken for all of it."""
    file = tmp_path / "export"
    packed = bytearray(gzip.compress(WHOLE))
    if damage == "a bit":
        packed[len(packed) // 2] ^= 0x10
    else:
        del packed[-20:]
    file.write_bytes(packed)

    with pytest.raises(CorruptLog, match="compressed"):
        list(lines_of(str(file)))
