"""Taking dataclass instances, pydantic models and enum members apart, and putting them together again.

No constructor, validator or ``__post_init__`` runs on the way back: the instance was valid when it was
stored, and running user code again could change it.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterable
from copy import deepcopy
from enum import Enum, Flag
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from msgspec import Struct, field

if TYPE_CHECKING:
    from pydantic import BaseModel


class Parts(Struct, frozen=True, kw_only=True):
    """What makes up an instance.

    ``fields`` has the declared fields that have a value and ``unset`` names the others. ``extra`` has
    attributes that are not declared: fields that a model allows, attributes set on a dataclass instance.
    ``private`` and ``fields_set`` are of models only.
    """

    fields: dict[str, Any]
    unset: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)
    fields_set: tuple[str, ...] = ()


def dataclass_parts(value: Any) -> Parts:
    """Take a dataclass instance apart. Raises ``ValueError`` when it is more than its attributes."""
    cls: type = type(value)
    if not _is_bare(cls):
        raise ValueError("it has a content besides its fields, because it is based on a built-in type")
    names = [each.name for each in dataclasses.fields(value)]
    fields = {name: getattr(value, name) for name in names if hasattr(value, name)}
    extra = {
        name: item
        for name, item in getattr(value, "__dict__", {}).items()
        if name not in names and not isinstance(getattr(cls, name, None), cached_property)
    }
    return Parts(fields=fields, unset=_missing(names, fields), extra=extra)


def build_dataclass(cls: type, parts: Parts) -> Any:
    """Put a dataclass instance together. A field that is new in the class gets its default.

    Raises ``ValueError`` when it has none. Fields that the class has no longer are left out.
    """
    instance: Any = object.__new__(cls)
    for each in dataclasses.fields(cls):
        if each.name in parts.fields:
            item = parts.fields[each.name]
        elif each.name in parts.unset:
            continue
        elif each.default is not dataclasses.MISSING:
            item = each.default
        elif each.default_factory is not dataclasses.MISSING:
            item = each.default_factory()
        else:
            raise _no_value(cls, each.name)
        object.__setattr__(instance, each.name, item)
    for name, item in parts.extra.items():
        object.__setattr__(instance, name, item)
    return instance


def is_model(cls: type) -> "TypeGuard[type[BaseModel]]":
    """Whether a class is a pydantic model. As long as nobody has imported pydantic, none is."""
    base = getattr(sys.modules.get("pydantic.main"), "BaseModel", None)
    return base is not None and issubclass(cls, base)


def model_parts(value: "BaseModel") -> Parts:
    """Take a pydantic model apart."""
    cls = type(value)
    values = value.__dict__
    fields = {name: values[name] for name in cls.model_fields if name in values}
    return Parts(
        fields=fields,
        unset=_missing(cls.model_fields, fields),
        extra=dict(value.__pydantic_extra__ or {}),
        private=dict(value.__pydantic_private__ or {}),
        fields_set=tuple(sorted(value.model_fields_set)),
    )


def build_model(cls: "type[BaseModel]", parts: Parts) -> "BaseModel":
    """Put a pydantic model together, as unpickling would. New and lost fields: as in a dataclass."""
    from pydantic import BaseModel  # noqa: PLC0415 - takes 35 ms, and is there already when a model is

    fields = {}
    for name, info in cls.model_fields.items():
        if name in parts.fields:
            fields[name] = parts.fields[name]
        elif name in parts.unset:
            continue
        elif info.is_required():
            raise _no_value(cls, name)
        else:
            fields[name] = info.get_default(call_default_factory=True)
    private = {
        name: parts.private[name] if name in parts.private else _private_default(cls, name)
        for name in cls.__private_attributes__
        if name in parts.private or has_private_default(cls, name)
    }
    model = object.__new__(cls)
    state = {
        "__dict__": fields,
        "__pydantic_fields_set__": set(parts.fields_set) & {*fields, *parts.extra},
        "__pydantic_extra__": parts.extra if cls.model_config.get("extra") == "allow" else None,
        "__pydantic_private__": private if cls.__private_attributes__ else None,
    }
    BaseModel.__setstate__(model, state)
    return model


def has_private_default(cls: "type[BaseModel]", name: str) -> bool:
    """Whether a private attribute of a model can be made anew."""
    from pydantic_core import PydanticUndefined  # noqa: PLC0415 - as above

    attribute = cls.__private_attributes__[name]
    return attribute.default_factory is not None or attribute.default is not PydanticUndefined


def _private_default(cls: "type[BaseModel]", name: str) -> Any:
    attribute = cls.__private_attributes__[name]
    if attribute.default_factory is None:
        return deepcopy(attribute.default)
    return cast("Callable[[], Any]", attribute.default_factory)()


def member_key(member: Enum) -> str | int:
    """Return what finds a member again in its class: its name, or the bits of a flag."""
    return member.value if isinstance(member, Flag) else member.name


def find_member(cls: type[Enum], key: object) -> Enum:
    """Return the member with this key. Raises ``ValueError`` when the class has no such member."""
    if issubclass(cls, Flag) and type(key) is int:
        return cls(key)
    member = cls.__members__.get(key) if isinstance(key, str) else None
    if member is None:
        raise ValueError(f"{cls.__qualname__} has no member {key!r}; it has {', '.join(cls.__members__)}")
    return member


def _missing(names: Iterable[str], fields: dict[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in fields)


def _no_value(cls: type, name: str) -> ValueError:
    return ValueError(
        f"{cls.__qualname__} has a field {name!r} that it did not have when the value was stored; "
        f"give it a default"
    )


@lru_cache(maxsize=1024)
def _is_bare(cls: type) -> bool:
    try:
        object.__new__(cls)
    except TypeError:
        return False
    return True
