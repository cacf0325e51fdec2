"""The users' recipe modules: `package.module[:NAME]` or `path/to/file.py[:NAME]`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from hitl_events.errors import InvalidInput
from hitl_services.text import quoted

if TYPE_CHECKING:
    from hitl_events.recipes.recipe import Recipe


def load_recipes(named: Sequence[str]) -> list[Recipe]:
    """Every handle of the named modules, each once. `InvalidInput` says where an import failed."""
    found: list[Recipe] = []
    for text in named:
        for handle in _handles(text):
            if handle not in found:
                found.append(handle)
    return found


def _handles(text: str) -> list[Recipe]:
    from hitl_events.recipes.book import handles_in
    from hitl_events.recipes.recipe import Recipe

    place, name = _parted(text)
    module = _module(place)
    handles = handles_in(vars(module))
    if name is not None:
        named = getattr(module, name, None)
        handles = [named] if isinstance(named, Recipe) else []
    if not handles:
        what = "a recipe" if name is None else f"a recipe under the name {quoted(name)}"
        raise InvalidInput(f"expected {what} in {quoted(place)}, found none")
    return handles


def _parted(text: str) -> tuple[str, str | None]:
    """Module or file, and the name in it."""
    place, colon, name = text.rpartition(":")
    return (place, name) if colon and place and name.isidentifier() else (text, None)


def _module(place: str) -> ModuleType:
    path = Path(place)
    is_file = place.endswith(".py") or "/" in place
    if is_file and not path.is_file():
        raise InvalidInput(f"expected a file of recipes, found no file {quoted(place)}")
    if not is_file and not all(part.isidentifier() for part in place.split(".")):
        wanted = "a module of recipes (its name, or a file that ends in .py)"
        raise InvalidInput(f"expected {wanted}, found {quoted(place)}")
    try:
        return _of_file(path.resolve()) if is_file else _of_name(place)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's module raises
        raise InvalidInput(_said(place, error)) from None


def _of_name(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(name)


def _of_file(path: Path) -> ModuleType:
    """The module of a file; modules beside it can be imported, as for a script."""
    for held in list(sys.modules.values()):
        if getattr(held, "__file__", None) == str(path):
            return held
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = path.stem if path.stem not in sys.modules else f"hitl_recipes_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations are resolved through it
    spec.loader.exec_module(module)
    return module


def _said(place: str, error: BaseException) -> str:
    """What the import of a module came to: where, and what to look at."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name == place.partition(".")[0]:
        return f"expected a module of recipes, found no module {quoted(place)} here"
    if isinstance(error, SyntaxError) and error.filename:
        where, said = f"{error.filename}:{error.lineno}", f"{type(error).__name__}: {error.msg}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if not _is_machinery(frame.filename)]
        where = f"{own[-1].filename}:{own[-1].lineno}" if own else place
    return f"expected to import {quoted(place)}, found at {where}: {said}; mend it there"


def _is_machinery(filename: str) -> bool:
    return filename.startswith("<frozen") or filename in {__file__, importlib.__file__}
