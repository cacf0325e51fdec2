"""A policy document goes through review: drafted, shown with its diff, revised, published or left.

In a copy of this folder:

    hitl run policy-update --recipes policy_update.py --input @request.json

A change request, and a reviewer's notes that ask for changes, are text with edits in it:

    In section "Equipment" replace "EUR 300" with "EUR 450"
    In section "Equipment" remove "and one screen"
    In section "Working hours" append "Nobody is expected to answer at night."

What is not understood or does not fit is not guessed: it stands in the draft as an open point.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hitl_events import Run, recipe

DOCUMENT_BYTES_MAX = 200_000
"""Text and diff of a draft both go into one event, which holds 880 KiB."""


class PolicyRequest(BaseModel):
    """Two files. Relative paths count from where the run is started."""

    model_config = ConfigDict(extra="forbid")

    document: Path
    change_request: Path


class Draft(BaseModel):
    """What the reviewer sees, and what is published if they approve: nothing else."""

    about: str
    diff: str
    document: str
    open_points: list[str]
    original_sha256: str
    revision: int
    text: str


class LegalNotes(BaseModel):
    """What a reviewer can add to a verdict as data."""

    model_config = ConfigDict(extra="forbid")

    reference: str
    risk: Literal["low", "medium", "high"] = "low"


class Published(BaseModel):
    """The end of an approved run."""

    document: str
    revision: int
    sha256: str
    approved_by: str | None = None
    legal: LegalNotes | None = None


class Refused(BaseModel):
    """The end of a denied run: the document is as it was."""

    reason: str | None


# The recipe: only steps touch files.


@recipe("policy-update", version="1")
async def policy_update(run: Run, request: PolicyRequest) -> Published | Refused:
    """Draft, review, revise as often as the reviewer likes, then publish or leave all as it is."""
    draft: Draft = await run.step(write_draft, request)
    while True:
        review = await run.gate(
            "legal-review",
            draft=draft,
            verdicts=("approve", "deny", "request_changes"),
            data=LegalNotes,
        )
        if review.verdict != "request_changes":
            break
        draft = await run.step(revise, draft, review.notes or "")
    if review.verdict == "deny":
        return Refused(reason=review.notes)
    published: Published = await run.step(publish, draft, once=True)
    return published.model_copy(update={"approved_by": review.decided_by, "legal": review.data})


def write_draft(request: PolicyRequest) -> Draft:
    """The document with the edits of the change request."""
    path = request.document.resolve()
    data = _read(path)
    asked = _read(request.change_request).decode()
    edits, open_points = parse_edits(_edits_part(asked))
    if not edits:
        raise ValueError(
            f'expected edits such as: In section "Scope" replace "a" with "b", '
            f"found none in {request.change_request}"
        )
    text, unfit = apply(data.decode(), edits)
    heading = _HEADING.match(asked)
    about = heading["title"] if heading else request.change_request.name
    return _draft(path, data, text, about=about, open_points=[*open_points, *unfit])


def revise(draft: Draft, notes: str) -> Draft:
    """The draft with the edits of a reviewer's notes; always the same for the same notes."""
    path = Path(draft.document)
    data = _unchanged(path, draft.original_sha256)
    edits, open_points = parse_edits(notes)
    text, unfit = apply(draft.text, edits)
    again = _draft(path, data, text, about=draft.about, open_points=[*open_points, *unfit])
    return again.model_copy(update={"revision": draft.revision + 1})


def publish(draft: Draft) -> Published:
    """Put the approved text in the document's place, whole or not at all.

    A document that already has the approved text is done: so it is safe to let this run again where
    nobody knows whether it ran.
    """
    path = Path(draft.document)
    new = draft.text.encode()
    approved = sha256(new).hexdigest()
    if sha256(_read(path)).hexdigest() != approved:
        _unchanged(path, draft.original_sha256)
        _replace(path, new)
    return Published(document=draft.document, revision=draft.revision, sha256=approved)


# Files


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    if len(data) > DOCUMENT_BYTES_MAX:
        raise ValueError(f"expected {path} of at most {DOCUMENT_BYTES_MAX} bytes")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"expected {path} in UTF-8, found byte {error.start} is not") from None
    return data


def _unchanged(path: Path, expected_sha256: str) -> bytes:
    data = _read(path)
    if sha256(data).hexdigest() != expected_sha256:
        raise ValueError(
            f"expected {path.name} as it was when the draft was made, found it changed since; "
            "nothing was written: start a new run"
        )
    return data


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(path.stat().st_mode & 0o7777)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _draft(path: Path, now: bytes, text: str, *, about: str, open_points: list[str]) -> Draft:
    old = now.decode()
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        text.splitlines(keepends=True),
        f"{path.name} (in force)",
        f"{path.name} (draft)",
    )
    return Draft(
        about=about,
        diff="".join(lines),
        document=str(path),
        open_points=open_points,
        original_sha256=sha256(now).hexdigest(),
        revision=1,
        text=text,
    )


# Edits

_QUOTED = r'(?P<{0}>"[^"]*"|“[^”]*”)'
_EDIT = re.compile(
    rf"in\s+section\s+{_QUOTED.format('section')},?\s+(?:"
    rf"replace\s+{_QUOTED.format('old')}\s+with\s+{_QUOTED.format('new')}|"
    rf"remove\s+{_QUOTED.format('gone')}|"
    rf"append\s+{_QUOTED.format('added')})\s*[.;]?",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)])?\s*")
_HEADING = re.compile(r"^(?P<marks>#{1,6})[ \t]+(?P<title>.*?)[ \t]*#*[ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"^\s*(?:```|~~~)")


class Edit(BaseModel):
    """One change in one section: `old` becomes `new`, or `new` is added where `old` is None."""

    section: str
    old: str | None
    new: str


def parse_edits(text: str) -> tuple[list[Edit], list[str]]:
    """The edits in a text, and each line of it that is none."""
    edits: list[Edit] = []
    for found in _EDIT.finditer(text):
        section, old, new, gone, added = (part and part[1:-1] for part in found.groups())
        old = gone if old is None else old
        edits.append(Edit(section=section, old=old, new=new or added or ""))
    rest = (_BULLET.sub("", line).strip() for line in _EDIT.sub("\n", text).splitlines())
    return edits, [f"not an edit: {line}" for line in rest if line]


def apply(text: str, edits: list[Edit]) -> tuple[str, list[str]]:
    """The text with the edits that fit, in their order, and why each other one does not."""
    unfit: list[str] = []
    for edit in edits:
        try:
            text = _apply(text, edit)
        except LookupError as error:
            unfit.append(str(error.args[0]))
    return text, unfit


def _apply(text: str, edit: Edit) -> str:
    start, end = _section(text, edit.section)
    part = text[start:end]
    if edit.old is None:
        line_end = "\r\n" if "\r\n" in text else "\n"
        return text[:start] + _with_paragraph(part, edit.new, line_end) + text[end:]
    # a quotation may run over the end of a line
    words = r"\s+".join(re.escape(word) for word in edit.old.split())
    places = list(re.finditer(words if edit.new else rf"[ \t]*{words}", part)) if words else []
    if len(places) != 1:
        raise LookupError(
            f'expected "{edit.old}" once in section "{edit.section}", found it {len(places)} times'
        )
    place = places[0]
    new = _in_the_lines_of(place.group(), edit.new)
    return f"{text[: start + place.start()]}{new}{text[start + place.end() :]}"


def _with_paragraph(part: str, added: str, line_end: str) -> str:
    """A section's text with one more paragraph at its end."""
    kept = part.rstrip()
    after = part[len(kept) :].removeprefix(line_end)
    return f"{kept}{line_end * 2 if kept else line_end}{added}{line_end}{after}"


def _in_the_lines_of(old: str, new: str) -> str:
    """The new words with line ends where the old ones had them, so that the diff stays small."""
    words, gaps = new.split(), re.findall(r"\s+", old.strip())
    pairs = zip_longest(words, gaps[: len(words)], fillvalue=" ")
    return "".join(word + gap for word, gap in pairs).rstrip()


def _section(text: str, title: str) -> tuple[int, int]:
    """Where the section's text begins and ends; its subsections are part of it."""
    wanted = _plain(title)
    start, level, position, fenced = None, 0, 0, False
    for line in text.splitlines(keepends=True):
        fenced ^= _FENCE.match(line) is not None
        heading = None if fenced else _HEADING.match(line.rstrip("\r\n"))
        if heading and start is not None and len(heading["marks"]) <= level:
            return start, position
        position += len(line)
        if heading and start is None and _plain(heading["title"]) == wanted:
            start, level = position, len(heading["marks"])
    if start is None:
        raise LookupError(f'expected a section "{title}" in the document, found none')
    return start, position


def _plain(title: str) -> str:
    """A title without its number, in small letters."""
    return re.sub(r"^[\d.]+\s+", "", " ".join(title.split())).casefold()


def _edits_part(text: str) -> str:
    """What stands under the heading "Edits"; the whole text where there is no such heading."""
    try:
        start, end = _section(text, "Edits")
    except LookupError:
        return text
    return text[start:end]
