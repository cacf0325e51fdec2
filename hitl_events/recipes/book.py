"""The recipes that a process knows, by name and version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from hitl_events.domain.events import RunStarted
from hitl_events.errors import InvalidInput, RecipeError
from hitl_events.ports import RegisteredRecipe, Watch
from hitl_events.recipes import values
from hitl_events.recipes.driver import Driver
from hitl_events.recipes.recipe import Recipe


class Registered:
    """A handle as the engine sees it."""

    def __init__(self, handle: Recipe) -> None:
        self.handle = handle.build()
        try:
            values.check_type(handle.input_type)
        except RecipeError as error:
            raise RecipeError(f"input of recipe {handle.name!r}: {error}") from error
        self.name = handle.name
        self.version = handle.version
        self.code_fingerprint = handle.code_fingerprint
        self.undo_on = handle.undo_on

    def driver(self, started: RunStarted, watch: Watch) -> Driver:
        """A fresh driver of this recipe."""
        return Driver(self.handle, started, watch)

    def input_problem(self, input_: bytes) -> str | None:
        """Why an input does not fit the recipe's type."""
        try:
            values.check(input_, self.handle.input_type)
        except InvalidInput as error:
            return str(error)
        return None


class Book:
    """Handles by (name, version); a new run takes the last registered of its name."""

    def __init__(self, handles: Iterable[Recipe] = ()) -> None:
        self._by_version: dict[tuple[str, str], Registered] = {}
        self._latest: dict[str, Registered] = {}
        for handle in handles:
            self.add(handle)

    def add(self, handle: Recipe) -> None:
        """Register a handle; the same one twice is once."""
        given = cast("object", handle)
        if not isinstance(given, Recipe):
            raise RecipeError(f"expected a handle, made by @recipe or Recipe, found {given!r}")
        key = (handle.name, handle.version)
        held = self._by_version.get(key)
        if held is not None and held.handle is not handle:
            message = f"expected one recipe {handle.name!r} version {handle.version!r}, found two"
            raise RecipeError(message)
        if held is None:
            self._by_version[key] = self._latest[handle.name] = Registered(handle)

    def find(self, name: str, version: str | None) -> RegisteredRecipe | None:
        """That version, or the last registered where none is named."""
        if version is None:
            return self._latest.get(name)
        return self._by_version.get((name, version))

    def known(self) -> tuple[str, ...]:
        """`name (version v)` of all."""
        return tuple(f"{name} (version {version})" for name, version in self._by_version)

    def handles(self) -> tuple[Recipe, ...]:
        """Every handle, in the order of registration."""
        return tuple(entry.handle for entry in self._by_version.values())


def handles_in(namespace: dict[str, Any]) -> list[Recipe]:
    """Every handle among the names of a module."""
    found: list[Recipe] = []
    for held in namespace.values():
        if isinstance(held, Recipe) and held not in found:
            found.append(held)
    return found
