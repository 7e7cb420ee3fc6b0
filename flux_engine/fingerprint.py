"""Where a handler's code is, and a fingerprint that changes when the code does.

The fingerprint is taken from the syntax tree, so comments, blank lines and layout do not count.
"""

import ast
import functools
import hashlib
import inspect
import linecache
import threading
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from msgspec import Struct


class Source(Struct, frozen=True, kw_only=True):
    """Where a function is written. Lines count from 1."""

    file: str
    line: int
    end_line: int
    function: str


def plain_function(handler: Callable[..., Any]) -> FunctionType | None:
    """Return the function behind decorators, partials, methods and callable objects, if there is one."""
    found: Any = handler
    while True:
        if isinstance(found, functools.partial):
            found = found.func
        elif hasattr(found, "__wrapped__"):
            found = found.__wrapped__
        elif inspect.ismethod(found):
            found = found.__func__
        elif isinstance(found, FunctionType):
            return found
        elif not isinstance(found, type) and isinstance(getattr(type(found), "__call__", None), FunctionType):  # noqa: B004
            found = type(found).__call__
        else:
            return None


def source_of(handler: Callable[..., Any]) -> Source | None:
    """Return where the handler is written, or ``None`` for one without source."""
    function = plain_function(handler)
    if function is None:
        return None
    code = function.__code__
    node = _node(code)
    last = getattr(node, "end_lineno", None) or max((line for *_, line in code.co_lines() if line), default=0)
    first = _first_line(node) if node is not None else code.co_firstlineno
    return Source(
        file=code.co_filename, line=first, end_line=max(last, first), function=function.__qualname__
    )


def fingerprint(*functions: Callable[..., Any] | None) -> str:
    """Return 16 hexadecimal digits that stand for the source of the functions."""
    digest = hashlib.sha256()
    for function in functions:
        digest.update(b"\0" if function is None else _canonical(function).encode())
    return digest.hexdigest()[:16]


def _canonical(handler: Callable[..., Any]) -> str:
    function = plain_function(handler)
    if function is None:
        return f"{type(handler).__module__}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"
    node = _node(function.__code__)
    return _code_text(function.__code__) if node is None else _code_of(node)


def _code_of(node: ast.AST) -> str:
    """Return arguments and body: neither the function's name nor its decorators count."""
    body = getattr(node, "body", [])
    parts = [getattr(node, "args", None), *(body if isinstance(body, list) else [body])]
    return type(node).__name__ + "".join(ast.dump(part) for part in parts if part is not None)


def _node(code: CodeType) -> ast.AST | None:
    """Find the syntax tree of a code object: by its line, and a lambda also by its column."""
    nodes = [node for node in _functions_of(code.co_filename) if _first_line(node) == code.co_firstlineno]
    if code.co_name != "<lambda>":
        named = [node for node in nodes if getattr(node, "name", None) == code.co_name]
        return named[0] if len(named) == 1 else None
    lambdas = [node for node in nodes if isinstance(node, ast.Lambda)]
    if len(lambdas) > 1:
        columns = {column for *_, column, _ in _positions(code)}
        lambdas = [node for node in lambdas if node.body.col_offset in columns]
    return lambdas[0] if len(lambdas) == 1 else None


def _positions(code: CodeType) -> list[tuple[int | None, int | None, int | None, int | None]]:
    return [position for position in code.co_positions() if position[2] is not None]


def _first_line(node: ast.AST) -> int:
    """Return the line that Python counts as the function's first: that of its first decorator."""
    decorators: list[Any] = getattr(node, "decorator_list", [])
    return min(int(found.lineno) for found in [node, *decorators])


_PARSING = threading.Lock()
"""Python 3.11 counts how deep it is in a tree for all threads together, and fails when two build one."""


@functools.lru_cache(maxsize=256)
def _functions_of(file: str) -> tuple[ast.AST, ...]:
    text = "".join(linecache.getlines(file))
    try:
        with _PARSING:
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return tuple(node for node in ast.walk(tree) if isinstance(node, kinds))


def _code_text(code: CodeType) -> str:
    constants = [_code_text(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_name}{code.co_code.hex()}{constants}{code.co_names}"
