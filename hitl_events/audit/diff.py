"""What changed between two outcomes of a run, and how a long text did."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, TypeGuard

from hitl_events.domain.values import value

Kind: TypeAlias = Literal["added", "removed", "changed"]
_MISSING = object()


@value
class Change:
    """One place that differs: `path` as in `$.artefact.steps.draft`, None for what is not there."""

    kind: Kind
    path: str
    before: Any = None
    after: Any = None

    def to_json(self) -> dict[str, Any]:
        """`{kind, path}` with `before` and `after` as far as there is one."""
        held: dict[str, Any] = {"kind": self.kind, "path": self.path}
        if self.kind != "added":
            held["before"] = self.before
        if self.kind != "removed":
            held["after"] = self.after
        return held


def difference(before: object, after: object, path: str = "$") -> list[Change]:
    """The innermost places at which two JSON values differ, in the order of `after`."""
    return list(_differences(before, after, path))


def unified(before: str, after: str) -> str:
    """The lines that differ between two texts, as `diff -u` shows them; "" where none does."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), "before", "after"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _differences(before: object, after: object, path: str) -> Iterator[Change]:
    if before is _MISSING:
        yield Change(kind="added", path=path, after=after)
    elif after is _MISSING:
        yield Change(kind="removed", path=path, before=before)
    elif _is_object(before) and _is_object(after):
        for name in [*after, *(name for name in before if name not in after)]:
            inner = f"{path}.{name}"
            yield from _differences(before.get(name, _MISSING), after.get(name, _MISSING), inner)
    elif _is_list(before) and _is_list(after):
        for index in range(max(len(before), len(after))):
            yield from _differences(_item(before, index), _item(after, index), f"{path}[{index}]")
    elif type(before) is not type(after) or before != after:
        yield Change(kind="changed", path=path, before=before, after=after)


def _item(items: list[Any], index: int) -> object:
    return items[index] if index < len(items) else _MISSING


def _is_object(held: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(held, dict)


def _is_list(held: object) -> TypeGuard[list[Any]]:
    return isinstance(held, list)
