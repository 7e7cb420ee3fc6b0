"""The names under which classes are stored, and the way back from a name to a class.

A name is ``module:Qualified.Name``. It is only ever looked up among the modules that are loaded:
nothing is imported, and no attribute is computed, because a stored name says so.
"""

import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from flux_engine.errors import SerializationError, UnknownTypeError


@lru_cache(maxsize=1024)
def name_of(cls: type) -> str:
    """Return the name of a class. Raises ``SerializationError`` when the way back would not find it."""
    title = f"{cls.__module__}.{cls.__qualname__}"
    if "<locals>" in cls.__qualname__:
        raise SerializationError(
            f"{title} is defined inside a function, where it cannot be found again; "
            f"define it at the top level of its module."
        )
    module = _main_name() if cls.__module__ == "__main__" else cls.__module__
    name = f"{module}:{cls.__qualname__}"
    if _look_up(name) is not cls:
        raise SerializationError(
            f"{title} cannot be found again: {cls.__qualname__} in module {module} is something else; "
            f"give the class the name under which its module has it, and load the module only once."
        )
    return name


def find_class(name: str, kind: str) -> type:
    """Return the loaded class of this name.

    Raises ``UnknownTypeError`` when there is none, ``SerializationError`` when the name stands for
    something else than a class. ``kind`` is for the message.
    """
    found = _look_up(name)
    if isinstance(found, type):
        return found
    if found is not None:
        raise SerializationError(f"A stored value claims to be a {kind} {name!r}, which is no class.")
    module, _, qualified = name.partition(":")
    if not module or not qualified:
        raise SerializationError(
            f"A stored value claims to be a {kind} {name!r}; expected a name like 'module:Class'."
        )
    if module in sys.modules:
        raise UnknownTypeError(
            f"A stored value is a {kind} {qualified} of module {module}, which has no such class any more; "
            f"bring it back under that name, or start a new run."
        )
    raise UnknownTypeError(
        f"A stored value is a {kind} {qualified} of module {module}, which is not loaded; "
        f"import {module} before reading it."
    )


def _look_up(name: str) -> object | None:
    module_name, _, qualified = name.partition(":")
    places = [sys.modules.get(module_name)]
    if module_name == _main_name():
        places.append(sys.modules.get("__main__"))
    for place in places:
        found = None if place is None else _walk(place, qualified)
        if found is not None:
            return found
    return None


def _walk(place: ModuleType, qualified: str) -> object | None:
    # The parameters of a generic model are part of its last name and may contain dots.
    plain, bracket, parameters = qualified.partition("[")
    *outer, last = plain.split(".")
    found: object | None = place
    for part in [*outer, last + bracket + parameters]:
        found = getattr(found, "__dict__", {}).get(part)
    return found


def _main_name() -> str:
    """Return the name that the main program would have if it were imported."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return _module_name(file) if file else "__main__"


@lru_cache(maxsize=8)
def _module_name(file: str) -> str:
    path = Path(file).absolute()
    names = [path.stem]
    for folder in path.parents:
        if not (folder / "__init__.py").exists():
            break
        names.append(folder.name)
    return ".".join(reversed(names))
