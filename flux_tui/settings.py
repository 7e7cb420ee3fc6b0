"""Settings: what a project, its environment and a command line may say about Flux.

Everything has a default; Flux works without configuration. Four places are read, and what a later one
says goes before what an earlier one says:

1. ``[tool.flux]`` in ``pyproject.toml``,
2. ``flux.toml``, with the same keys at its top level,
3. environment variables: ``FLUX_DB``, ``FLUX_THEME`` and so on, one for each key,
4. the options of the command.

Both files are looked for in the project folder, which is the current folder, and relative paths start
there. In environment variables ``workflows`` is separated like ``PATH``, ``redact`` and
``redact_env`` by commas, and ``keymap`` is a JSON object.

What a place says is validated by pydantic, which is imported when the first of them says something that is
to be validated.
"""

import difflib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Self, cast

from flux_engine.errors import FluxError
from flux_tui.address import AddressError, StoreAddress
from flux_tui.model.secrets import in_environment

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema

STANDARD_INPUT = Path("-")


class SettingsError(FluxError):
    """A setting that is unknown, or has a value that does not fit."""


class Only:
    """What pydantic demands of a value besides its type, in the words of its core schemas."""

    def __init__(self, **rules: object) -> None:
        self._rules = rules

    def __get_pydantic_core_schema__(self, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        """Return the schema of the type with these rules."""
        return cast("CoreSchema", {**handler(source), **self._rules})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a project. Paths are absolute; only ``trace`` may also be ``-``, standard input."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "use_attribute_docstrings": True}

    project: Path = field(default_factory=Path.cwd)
    """The project folder. Not a key: it is the current folder."""

    workflows: tuple[Path, ...] = ()
    """Workflow modules, or folders to search for them. Default: the whole project folder."""

    db: StoreAddress = field(default_factory=lambda: StoreAddress(file=Path(".flux/flux.db")))
    """What keeps the runs: a SQLite file, or ``postgresql://USER@HOST/DATABASE``.

    Its tables are in the schema ``flux`` unless ``?schema=NAME`` is added. A password belongs in
    ``FLUX_DB_PASSWORD``, ``PGPASSWORD`` or ``~/.pgpass``."""

    trace: Path = Path(".flux/trace.ndjson")
    """The file that every run writes its events to, one JSON object a line."""

    theme: str | None = None
    """The dashboard's colours: the name of one of its themes."""

    keymap: dict[str, str] = field(default_factory=dict)
    """Keys by the id of what they do: ``{ retry = "t", quit = "q,ctrl+q" }``."""

    redact: tuple[str, ...] = ("password", "passwd", "secret", "token", "api_key", "authorization")
    """Parts of names whose values the dashboard masks until asked, whatever the case of their letters."""

    redact_env: tuple[str, ...] = ()
    """Environment variables whose values are masked wherever they turn up."""

    default_retries: Annotated[int, Only(strict=True, ge=0)] = 0
    """How often a step that does not say so itself is tried again. Zero shows a mistake at once."""

    default_timeout: Annotated[float, Only(strict=True, gt=0)] = 30.0
    """Seconds that an attempt of a step may take if the step does not say so itself."""

    ascii: Annotated[bool, Only(strict=True)] = False
    """Draw with plain ASCII characters only."""

    editor: str | None = None
    """The command that opens an editor. Default: ``$VISUAL``, else ``$EDITOR``."""

    def anchored(self) -> Self:
        """Return these settings with all paths absolute, relative ones taken from the project folder."""
        project = self.project.absolute()
        return replace(
            self,
            project=project,
            workflows=tuple(project / path.expanduser() for path in self.workflows),
            db=self.db.anchored(project),
            trace=self.trace if self.trace == STANDARD_INPUT else project / self.trace.expanduser(),
        )

    def secret_values(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Return the values of ``redact_env`` and the store's password, but for those too short to mask."""
        return (*in_environment(self.redact_env, environ), *self.db.secrets)


KEYS = tuple(each.name for each in fields(Settings) if each.name != "project")

_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "workflows": lambda text: [part for part in text.split(os.pathsep) if part],
    "keymap": json.loads,
    "redact": lambda text: [part.strip() for part in text.split(",") if part.strip()],
    "redact_env": lambda text: [part.strip() for part in text.split(",") if part.strip()],
    "default_retries": lambda text: adapter(int).validate_python(text),
    "default_timeout": lambda text: adapter(float).validate_python(text),
    "ascii": lambda text: adapter(bool).validate_python(text),
}

_VALID: dict[str, type] = {"db": StoreAddress, "trace": Path, "theme": str, "editor": str, "ascii": bool}
"""Keys for which every value of a type is valid. Options of the commands have these types."""


def adapter(kind: type) -> "TypeAdapter[Any]":
    """Return what validates, describes and writes a type of settings: ``Settings`` itself, or a part."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - takes 60 ms, and most starts have nothing to validate

    return TypeAdapter(kind)


def load_settings(cwd: Path, flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of the project in ``cwd``.

    ``flags`` are the command's options by key; those that are ``None`` were not given. Raises
    ``SettingsError`` naming the place, the key, what was expected and what was found.
    """
    found: dict[str, Any] = {}
    for layer in layers(cwd, flags, environ):
        found |= layer.values
    if "db" in found:
        found["db"] = found["db"].with_password_of(os.environ if environ is None else environ)
    return Settings(project=cwd, **found).anchored()


class Layer(NamedTuple):
    """What one place says. ``place`` names it, or is ``None`` where each key is a place of its own."""

    place: str | None
    values: dict[str, Any]
    name_of: Callable[[str], str]

    def origin(self, key: str) -> str:
        """Return where a key that this layer has stands."""
        return self.place or self.name_of(key)


def layers(cwd: Path, flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> list[Layer]:
    """Return what each place says, from the weakest to the strongest. Raises as ``load_settings``."""
    given = {key: value for key, value in flags.items() if value is not None}
    pyproject, flux_toml = files(cwd)
    return [
        Layer(f"{pyproject} [tool.flux]", _from_pyproject(pyproject), str),
        Layer(str(flux_toml), _from_flux_toml(flux_toml), str),
        Layer(None, _from_environment(os.environ if environ is None else environ), _variable),
        Layer(None, _checked(given, _option), _option),
    ]


def files(cwd: Path) -> tuple[Path, Path]:
    """Return the files that a project's settings are read from, whether they are there or not."""
    return cwd / "pyproject.toml", cwd / "flux.toml"


def _from_pyproject(path: Path) -> dict[str, Any]:
    tool = _toml(path).get("tool")
    table = tool.get("flux", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: expected a table [tool.flux], found {_shown(table)}.")
    return _checked(table, lambda key: f"{path}, [tool.flux] {key}", f"{path}, [tool.flux]")


def _from_flux_toml(path: Path) -> dict[str, Any]:
    return _checked(_toml(path), lambda key: f"{path}, {key}", str(path))


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in KEYS:
        text = environ.get(_variable(key))
        if not text:
            continue
        try:
            found[key] = _FROM_TEXT.get(key, str)(text)
        except ValueError:
            expected = _EXPECTED.get(key, "another value")
            raise SettingsError(f"{_variable(key)}: expected {expected}, found {text!r}.") from None
    return _checked(found, _variable)


_EXPECTED = {
    "keymap": 'a JSON object such as {"retry": "t"}',
    "default_retries": "a whole number",
    "default_timeout": "a number of seconds",
    "ascii": "true or false",
}


def _variable(key: str) -> str:
    return f"FLUX_{key.upper()}"


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    import tomllib  # noqa: PLC0415 - its import takes 20 ms, and most folders have no such file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error


def _checked(values: Mapping[str, Any], place: Callable[[str], str], within: str = "") -> dict[str, Any]:
    """Return ``values`` as their types, if all keys are known and fit; ``place`` says where a key stands."""
    for key in values:
        if key not in KEYS:
            raise SettingsError(f"{within or place(key)}: unknown key {key!r}. {_nearest(key)}")
    if isinstance(values.get("db"), str | Path):
        values = {**values, "db": _address(values["db"], place("db"))}
    if all(isinstance(value, _VALID.get(key, ())) for key, value in values.items()):
        return dict(values)
    from pydantic import ValidationError  # noqa: PLC0415 - as above

    try:
        valid = adapter(Settings).validate_python(dict(values))
    except ValidationError as error:
        raise SettingsError("\n".join(_described(problem, place) for problem in error.errors())) from None
    return {key: getattr(valid, key) for key in values}


def _address(value: str | Path, place: str) -> StoreAddress:
    try:
        return StoreAddress.of(value)
    except AddressError as error:
        raise SettingsError(f"{place}: {error}.") from None


def _nearest(key: str) -> str:
    near = difflib.get_close_matches(key.replace("-", "_").lower(), KEYS, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(KEYS)}."


def _described(problem: Any, place: Callable[[str], str]) -> str:
    key, *rest = (str(part) for part in problem["loc"])
    where = "".join(f"[{part}]" for part in rest)
    expected = _EXPECTED_TYPE.get(problem["type"]) or problem["msg"].removeprefix("Input should be ")
    return f"{place(key)}{where}: expected {expected}, found {_shown(problem['input'])}."


_EXPECTED_TYPE = {
    "tuple_type": "an array",
    "dict_type": "a table",
    "string_type": "a string",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "path_type": "a path",
}


def _shown(value: Any) -> str:
    kind = {"str": "string", "int": "integer", "bool": "boolean", "list": "array", "dict": "table"}
    return f"{value!r} ({kind.get(type(value).__name__, type(value).__name__)})"
