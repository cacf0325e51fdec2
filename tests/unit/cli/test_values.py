"""What users type, as values."""

from __future__ import annotations

import io
import sys
from codecs import BOM_UTF8
from pathlib import Path

import pytest

from hitl_services.cli.values import json_value


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Windows' editors and shells write one: it is no part of the JSON behind it."""
    file = tmp_path / "input.json"
    file.write_bytes(BOM_UTF8 + b'{"a": 1}')

    assert json_value(f"@{file}", "--input") == {"a": 1}


def test_stdin_may_begin_with_a_byte_order_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file that is piped in."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BOM_UTF8 + b"[1]")))

    assert json_value("-", "--data") == [1]
