"""``ctx.data``: what a handler may read and change, and how its changes are found.

The data of a run is kept as one JSON text for each top-level key. A handler never gets hold of the
run's own objects: the first time it touches a key it is given a fresh copy, decoded from the text.
So a failed or timed-out attempt leaves no trace, a value means the same in the next step as after a
crash, and what a step costs depends on what it touches, not on all that the run carries.
"""

import functools
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self

import msgspec
from msgspec import Struct, field

from flux_engine.codec import decode, encode
from flux_engine.errors import SerializationError

_IMMUTABLE = frozenset({str, int, float, bool, type(None)})
_MISSING: Any = object()


class Delta(Struct, frozen=True, kw_only=True):
    """Changes to top-level keys, each value as JSON text."""

    set: Mapping[str, str] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.set or self.deleted)

    def encode(self) -> str:
        """Return the changes as JSON: ``{"set": {…}, "deleted": […]}``."""
        pairs = ",".join([f"{_key_text(key)}:{text}" for key, text in self.set.items()])
        deleted = msgspec.json.encode(self.deleted).decode() if self.deleted else "[]"
        return f'{{"set":{{{pairs}}},"deleted":{deleted}}}'

    def apply(self, texts: dict[str, str]) -> None:
        """Change ``texts`` in place."""
        texts.update(self.set)
        for key in self.deleted:
            texts.pop(key, None)

    def over(self, earlier: "Delta") -> "Delta":
        """Return one delta that does what ``earlier`` and then this one do."""
        kept = {key: text for key, text in earlier.set.items() if key not in self.deleted}
        gone = [key for key in earlier.deleted if key not in self.set]
        return Delta(set=kept | dict(self.set), deleted=tuple(dict.fromkeys([*gone, *self.deleted])))


@functools.lru_cache(maxsize=4096)
def _key_text(key: str) -> str:
    """Return a key as JSON text. Runs of one workflow have the same few keys."""
    return msgspec.json.encode(key).decode()


class _StoredDelta(Struct, frozen=True):
    set: dict[str, msgspec.Raw] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()


UNCHANGED = Delta()
_deltas = msgspec.json.Decoder(_StoredDelta)


def decode_delta(text: str | None) -> Delta:
    """Read changes as stored; ``None`` means none."""
    if text is None:
        return UNCHANGED
    stored = _deltas.decode(text)
    return Delta(
        set={key: bytes(raw).decode() for key, raw in stored.set.items()},
        deleted=stored.deleted,
    )


class Data(dict[str, Any]):
    """A dict whose keys can be used as attributes: ``data.order`` is ``data["order"]``.

    A missing attribute raises ``AttributeError`` naming the keys that exist. A key that is also the
    name of a dict method (``items``, ``keys``, …) is only reached as ``data["items"]``.
    """

    __slots__ = ()
    __flux_plain__ = True

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            there = ", ".join(map(repr, self)) or "nothing yet"
            raise AttributeError(f"the data has no {name!r}; it has {there}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(dict, name):
            raise AttributeError(f"{name!r} is a method of dict: write data[{name!r}] = … instead")
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"the data has no {name!r}") from None

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self]


class RunData:
    """The data of a run at one point: ``texts`` count, ``values`` are only shared where immutable."""

    __slots__ = ("texts", "values")

    def __init__(self, texts: dict[str, str]) -> None:
        """Begin with these texts. Raises ``UnknownTypeError`` for a class that is not loaded."""
        self.texts = texts
        self.values = {key: decode(text) for key, text in texts.items()}

    def apply(self, delta: Delta, values: Mapping[str, Any] | None = None) -> None:
        """Move on by one step's changes; ``values`` has what the keys that it touched are now, if at hand."""
        if values is None:
            values = {key: decode(text) for key, text in delta.set.items()}
        self.texts.update(delta.set)
        self.values.update(values)
        for key in delta.deleted:
            self.texts.pop(key, None)
            self.values.pop(key, None)

    def copy(self) -> "RunData":
        """Return data that can move on without this one."""
        copied = RunData({})
        copied.texts, copied.values = dict(self.texts), dict(self.values)
        return copied

    def decoded(self) -> Data:
        """Return a copy that belongs to the caller."""
        return Data((key, decode(text)) for key, text in self.texts.items())


class StepData(Data):
    """``ctx.data`` of one attempt: private copies of what it touches."""

    __slots__ = ("_flux_own", "_flux_texts")

    def __init__(self, run: RunData) -> None:
        super().__init__(run.values)
        object.__setattr__(self, "_flux_texts", run.texts)
        object.__setattr__(self, "_flux_own", {})  # a dict, for its order

    def __getitem__(self, key: str) -> Any:
        value = dict.__getitem__(self, key)
        if type(value) in _IMMUTABLE or key in self._flux_own:
            return value
        value = decode(self._flux_texts[key])
        dict.__setitem__(self, key, value)
        self._flux_own[key] = True
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        own = self._flux_own
        if type(key) is not str or not key.isascii():
            check_key(key)
        if key not in self:
            own.pop(key, None)  # a key that was deleted comes back as the last one
        own[key] = True
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._flux_own[key] = True

    def __iter__(self) -> Iterator[str]:
        # Defined so that dict(data) and {**data} ask __getitem__ and do not read the values directly.
        return super().__iter__()

    def get(self, key: str, default: Any = None, /) -> Any:
        """Return the value of a key, or the default."""
        return self[key] if key in self else default  # noqa: SIM401 - this is the get it would call

    def pop(self, key: str, default: Any = _MISSING, /) -> Any:
        """Remove a key and return its value."""
        if key not in self:
            if default is _MISSING:
                raise KeyError(key)
            return default
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last pair."""
        for key in reversed(list(self)):
            return key, self.pop(key)
        raise KeyError("the data is empty")

    def setdefault(self, key: str, default: Any = None, /) -> Any:
        """Return the value of a key, setting it to the default first when it is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *others: Any, **more: Any) -> None:
        """Set many keys."""
        for key, value in dict(*others, **more).items():
            self[key] = value

    def clear(self) -> None:
        """Delete every key."""
        for key in list(self):
            del self[key]

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # dict_keys cannot be made by hand
        """Return a view of the keys."""
        return KeysView(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]  # as above
        """Return a view of the values."""
        return ValuesView(self)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]  # as above
        """Return a view of the pairs."""
        return ItemsView(self)

    def copy(self) -> Data:
        """Return a shallow copy that is not tracked."""
        return Data(self)

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Data:
        return Data((key, decode(encode(value))) for key, value in self.items())

    def __reduce__(self) -> tuple[type[Data], tuple[dict[str, Any]]]:
        return Data, (dict(self),)

    def __or__(self, other: Any) -> Data:  # type: ignore[override]  # as copy
        return Data(dict(self) | dict(other))

    def __ror__(self, other: Any) -> Data:  # type: ignore[override]  # as copy
        return Data(dict(other) | dict(self))

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]  # dict promises an __or__ like it
        self.update(other)
        return self


class DataShape:
    """How the data of a run is given to handlers. This one is without ``.data(type)``: a ``StepData``."""

    schema: Callable[[], dict[str, Any] | None] = staticmethod(lambda: None)

    def open(self, run: RunData) -> Any:
        """Return ``ctx.data`` for one attempt."""
        return StepData(run)

    def changes(self, data: Any, run: RunData) -> tuple[Delta, dict[str, Any]]:
        """Return what an attempt changed, as texts and as values.

        Raises ``SerializationError`` naming the key when a value cannot be stored.
        """
        if not isinstance(data, StepData):
            raise TypeError(
                f"ctx.data was replaced by a value of type {type(data).__qualname__}: "
                "change its keys instead, as in ctx.data.update(…) or ctx.data.clear()"
            )
        own: dict[str, bool] = data._flux_own  # noqa: SLF001 - the two are one idea
        if not own:
            return UNCHANGED, {}
        values: dict[str, Any] = {}
        gone: list[str] = []
        for key in own:
            if key in data:
                values[key] = dict.__getitem__(data, key)
            else:
                gone.append(key)
        return _difference(values, gone, run)

    def edit(self, patch: Mapping[str, Any]) -> Delta:
        """Return a caller's edit as a delta. Raises ``SerializationError`` naming the key."""
        return Delta(set={check_key(key): encode_key(key, value) for key, value in patch.items()})

    def result(self, run: RunData) -> Any:
        """Return the data of a run for its caller."""
        return run.decoded()


def _difference(values: dict[str, Any], gone: Iterable[str], run: RunData) -> tuple[Delta, dict[str, Any]]:
    texts = run.texts
    changed: dict[str, str] = {}
    for key, value in values.items():
        try:
            text = encode(value)
        except SerializationError as error:
            raise _unstorable(key, error) from error
        if texts.get(key) != text:
            changed[key] = text
    deleted = tuple([key for key in gone if key in texts])
    if not changed and not deleted:
        return UNCHANGED, {}
    return Delta(set=changed, deleted=deleted), values


def is_text(text: str) -> bool:
    """Say whether a string can be written as UTF-8, which surrogates cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_key(key: Any) -> str:
    """Return the key. Raises ``SerializationError`` when it is not a string."""
    if type(key) is not str:
        raise SerializationError(
            f"the keys of ctx.data are strings, not {type(key).__qualname__} ({key!r}): write str(key)"
        )
    if not is_text(key):
        raise SerializationError(f"the key {key!r} of ctx.data has surrogates, which are no characters")
    return key


def encode_key(key: str, value: Any) -> str:
    """Encode one top-level value; an error names its key."""
    try:
        return encode(value)
    except SerializationError as error:
        raise _unstorable(key, error) from error


def _unstorable(key: str, error: SerializationError) -> SerializationError:
    return SerializationError(f"ctx.data[{key!r}] cannot be stored: {error}")
