"""Commands about recipes as they are written: `recipes`, `plan`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hitl_events.domain import canonical
from hitl_events.errors import InvalidInput, UnknownRecipe
from hitl_events.recipes.book import Book
from hitl_events.recipes.recipe import Recipe
from hitl_events.recipes.values import json_schema
from hitl_services.cli.screen import Line, Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.tables import columns, laid_out
from hitl_services.failure import DONE
from hitl_services.modules import load_recipes
from hitl_services.text import cut, harmless


def recipes(screen: Screen, settings: Settings) -> int:
    """Every recipe of the named modules."""
    screen.shield()
    handles = Book(load_recipes(settings.recipes)).handles()
    if settings.json:
        screen.document([_as_json(handle) for handle in handles])
    elif handles:
        screen.page(_page(handles, screen.width))
    else:
        screen.page([["no recipes: name their module with --recipes or HITL_RECIPES"]])
    return DONE


def plan(screen: Screen, settings: Settings, name: str, form: str) -> int:
    """The graph of the last registered version of a recipe."""
    screen.shield()
    if not settings.recipes:
        raise InvalidInput("expected modules of recipes in --recipes or HITL_RECIPES, found none")
    book = Book(load_recipes(settings.recipes))
    found = [handle for handle in book.handles() if handle.name == name]
    if not found:
        raise UnknownRecipe(name, None, book.known())
    drawn = found[-1].plan()
    if settings.json:
        screen.document(drawn.to_json())
    else:
        text = drawn.to_mermaid() if form == "mermaid" else drawn.to_text()
        screen.page([harmless(line)] for line in text.split("\n"))
    return DONE


def _as_json(handle: Recipe) -> dict[str, Any]:
    schema = json_schema(handle.input_type)
    return {
        "name": handle.name,
        "version": handle.version,
        "about": _about(handle),
        "input": None if schema is None else canonical.loads(schema),
    }


def _page(handles: Sequence[Recipe], width: int) -> Iterator[Line]:
    head = ("RECIPE", "VERSION", "ABOUT")
    rows = [
        (harmless(handle.name), harmless(handle.version), harmless(_about(handle)))
        for handle in handles
    ]
    widths = columns([head, *rows], width, shrinking=(2,))
    yield [(laid_out(head, widths), "bold")]
    for row in rows:
        yield [cut(laid_out(row, widths), max(width, sum(widths)))]


def _about(handle: Recipe) -> str:
    """The first line of what the author says of it."""
    own = handle.__dict__.get("__doc__") or ""
    return str(own).strip().partition("\n")[0]
