"""Modules of one name in two folders.

Python keeps one module a name. Of two folders that are no packages and have a ``helpers.py`` each, the
modules of the second would therefore get the ``helpers`` of the first, and nobody would say so.
"""

import ast
import sys
from pathlib import Path

from flux_tui.runner.discovery import is_file
from flux_tui.runner.sources import is_project_source, same_file


def check_namesakes(path: Path, source: str) -> None:
    """Raise ``ImportError`` when the file imports a neighbour whose name another folder's module has.

    ``source`` is the file's text; raises ``SyntaxError`` too.
    """
    hidden = _hidden(path.parent)
    if not hidden:
        return
    imported = {name for node in ast.walk(ast.parse(source, str(path))) for name in _imported(node)}
    for name in sorted(imported & hidden.keys()):
        raise ImportError(
            f"There are two modules {name}, and this one would get {hidden[name]}. Rename one of them; "
            f"or make their folders packages, with an __init__.py, and write: from . import {name}"
        )


def _hidden(folder: Path) -> dict[str, str]:
    """Return the modules of other folders that a module of this folder would get for a neighbour."""
    loaded = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {
        name: file
        for name, file in loaded.items()
        if "." not in name
        and isinstance(file, str)
        and is_project_source(file)
        and any(map(is_file, _files(folder, name)))
        and not any(same_file(file, neighbour) for neighbour in _files(folder, name))
    }


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.py", folder / name / "__init__.py"


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [node.module.partition(".")[0]]
    return []
