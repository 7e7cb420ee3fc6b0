"""Values survive the store with their value and their type, or are refused by name and place."""

import collections
import contextlib
import json
import math
import sys
import threading
import types
import uuid
import zoneinfo
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum, auto
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, RootModel, field_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from flux_engine.codec import decode, decode_plain, encode
from flux_engine.codec.leaf_values import UNPACK
from flux_engine.errors import SerializationError, UnknownTypeError


class Colour(Enum):
    RED = 1
    MIXED = (1, "two")
    OPEN = object()


class Status(StrEnum):
    PAID = "paid"


class Level(IntEnum):
    HIGH = 3


class Right(Flag):
    READ = auto()
    WRITE = auto()


class Mode(IntFlag):
    X = 1
    W = 2


@dataclass
class Point:
    x: int
    y: Any = 0


@dataclass(frozen=True, slots=True)
class Fixed:
    name: str
    tags: tuple[str, ...] = ()


@dataclass
class Derived:
    """Has a field that no argument sets, one that is never set, and an attribute that is no field."""

    base: int
    double: int = field(init=False)
    never: int = field(init=False, repr=False, compare=False)
    built: list[int] = field(default_factory=list)

    def __post_init__(self):
        self.double = self.base * 2
        self.note = "set beside the fields"

    @cached_property
    def lock(self):
        return threading.Lock()


@dataclass
class Stuffed(dict):
    name: str = ""


@pydantic_dataclass
class Checked:
    amount: int


class Item(BaseModel):
    name: str
    price: Decimal = Decimal(1)


class RareItem(Item):
    age: int = 0


class Order(BaseModel):
    model_config = ConfigDict(extra="allow")

    item: Item
    placed: datetime | None = None
    total: int = Field(default=0, alias="sum")

    @field_validator("total")
    @classmethod
    def _counted(cls, value):
        return value + 1


class Ids(RootModel[list[int]]):
    pass


class Counter(BaseModel):
    label: str = "c"
    _count: int = PrivateAttr(default=0)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)


class Handle(BaseModel):
    _open: Any = PrivateAttr()


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    content: T


IntBox = Box[int]


class Outer:
    @dataclass
    class Inner:
        """Is found by its qualified name."""

        value: int


class Plain(dict):
    __flux_plain__ = True


def same(left, right):  # noqa: PLR0911 - one case for each type
    """Whether two values are equal and of the same types all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        pairs = zip(left.items(), right.items(), strict=False)
        return len(left) == len(right) and all(same(a, c) and same(b, d) for (a, b), (c, d) in pairs)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, set | frozenset):
        return left == right and {(type(x), x) for x in left} == {(type(x), x) for x in right}
    if isinstance(left, float):
        return left.hex() == right.hex()
    if isinstance(left, Decimal):
        return left.as_tuple() == right.as_tuple()
    if isinstance(left, datetime | time):
        return left == right and same(left.tzinfo, right.tzinfo) and left.fold == right.fold
    if isinstance(left, timezone):
        return left == right and left.tzname(None) == right.tzname(None)
    if isinstance(left, Point):
        return same(left.x, right.x) and same(left.y, right.y)
    if isinstance(left, BaseModel):
        return (
            same(left.__dict__, right.__dict__)
            and left.model_fields_set == right.model_fields_set
            and same(left.__pydantic_extra__, right.__pydantic_extra__)
        )
    return left == right


ZONES = st.one_of(
    st.none(),
    st.just(UTC),
    st.sampled_from(["Europe/Berlin", "Asia/Taipei", "America/New_York", "UTC"]).map(zoneinfo.ZoneInfo),
    st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone),
    st.just(timezone(timedelta(hours=2), "CEST")),
)
KEYS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(["$type", "value", "set"]),
    st.integers(),
    st.booleans(),
    st.none(),
    st.sampled_from([*Status, *Level, *Mode]),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.tuples(st.integers(), st.text(max_size=3)),
    st.frozensets(st.integers(), max_size=3),
)
SCALARS = st.one_of(
    KEYS,
    st.floats(allow_nan=True),
    st.integers(-(10**30), 10**30),
    st.text(),
    st.binary(max_size=20),
    st.datetimes(timezones=ZONES, allow_imaginary=True),
    st.times(),
    st.times(timezones=st.just(UTC)),
    st.timedeltas(),
    st.decimals(),
    st.sampled_from([Colour.RED, Colour.MIXED, Colour.OPEN, Right.READ, Right.READ | Right.WRITE, Right(0)]),
    st.text("abc/.", min_size=1, max_size=9).map(Path),
    st.text(max_size=5).map(Fixed),
    st.builds(Item, name=st.text(max_size=5)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4),
        st.sets(KEYS, max_size=4),
        st.builds(Point, inner, inner),
        st.builds(lambda value: RareItem.model_construct(name=value), inner),
    ),
    max_leaves=12,
)
TAGS = [*UNPACK, "dict", "tuple", "set", "frozenset", "enum", "dataclass", "model", "new"]
CLASSES = ["os:system", f"{__name__}:Point", f"{__name__}:Item", f"{__name__}:Right", "", "a:b:c"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("$type"), inner),
)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_any_value_comes_back_with_its_value_and_type(value):
    """What a step puts into the data is what the next one finds, however deeply it is nested."""
    text = encode(value)
    json.loads(text)
    assert same(decode(text), value)
    assert encode(decode(text)) == text


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_any_json_value_comes_back(value):
    """JSON values need no tags unless JSON text cannot hold them."""
    assert same(decode(encode(value)), value)
    assert same(decode_plain(encode(value)), value)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_plain_values_and_values_beside_tagged_ones_are_written_alike(value):
    """The short way for plain values writes what the long way writes."""
    assert encode([value, b""]).startswith(f"[{encode(value)},")


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.fixed_dictionaries(
                {"$type": st.sampled_from(TAGS) | inner},
                optional={
                    "value": inner,
                    "class": st.sampled_from(CLASSES) | inner,
                    "name": inner,
                    "zone": inner,
                    "zoneName": inner,
                    "fold": inner,
                    "set": inner,
                    "unset": inner,
                    "extra": inner,
                    "private": inner,
                },
            )
        ),
        max_leaves=8,
    )
)
def test_hostile_text_is_refused_and_nothing_else(wire):
    """Whatever is in a store, reading it gives a value or one of two errors."""
    text = json.dumps(wire)
    for read in (decode, decode_plain):
        with contextlib.suppress(SerializationError, UnknownTypeError):
            read(text)


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Status.PAID,
        Level.HIGH,
        Right.READ | Right.WRITE,
        Mode.X | Mode.W,
        Mode(64),
        Fixed("a", ("b",)),
        Point(1, Point(2, {3})),
        Outer.Inner(1),
        Checked(amount=1),
        Ids([1, 2]),
        IntBox(content=1),
        10**5000,
        -(10**5000),
        datetime(9999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001 - naive on purpose
        datetime.min.replace(tzinfo=UTC),
        datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        datetime(2024, 10, 27, 2, 30, fold=0, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30, seconds=7), "odd")),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(microseconds=1))),
        time(1, 2, tzinfo=timezone(timedelta(microseconds=-1), "less")),
        time(1, 2, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        time(1, 2, 3, 4, tzinfo=timezone(timedelta(hours=-3))),
        timedelta.max,
        timedelta.min,
        Decimal("1.10"),
        Decimal("-0"),
        Decimal("1E+999999"),
        Decimal("sNaN123"),
        uuid.UUID(int=5),
        Path("/a/ü b"),
        b"",
        set(),
        frozenset({frozenset()}),
        (),
        {"$type": "datetime", "value": "not one"},
        {1: 2, "1": 3, None: 4, (1, (2,)): 5},
        {"z": 1, "a": 2},
        -0.0,
        5e-324,
        "\x00\u2028💳",
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_each_kind_of_value_comes_back(value):
    """One example of each type, with the corners that matter."""
    back = decode(encode({"value": [value]}))["value"][0]
    assert type(back) is type(value)
    assert same(back, value)


def test_members_come_back_as_the_very_members():
    """An enum member is found by its name, so it is identical, also one whose value cannot be stored."""
    members = [Colour.RED, Colour.MIXED, Colour.OPEN, Status.PAID, Level.HIGH]
    assert all(back is member for back, member in zip(decode(encode(members)), members, strict=True))


def test_dicts_keep_their_order():
    """The keys of a dict come back in the order in which they were set."""
    for value in ({"z": 1, "a": 2, "m": 3}, {3: 1, 1: 2, 2: 3}, {"b": {1}, "a": {2}}):
        assert list(decode(encode(value))) == list(value)


def test_a_dataclass_comes_back_without_running_its_code():
    """Fields that no argument sets, unset fields and other attributes are as they were."""
    value = Derived(2)
    value.double = 99
    assert value.lock
    back = decode(encode(value))
    assert (back.base, back.double, back.built, back.note) == (2, 99, [], "set beside the fields")
    assert not hasattr(back, "never")
    assert back.lock is not value.lock


def test_a_model_comes_back_without_its_validators():
    """Validators do not run again; set fields, extra fields and aliases are kept, nested classes too."""
    value = Order(
        item=RareItem(name="ring", age=300), placed=datetime(2024, 1, 1, tzinfo=UTC), sum=1, gift={1}
    )
    back = decode(encode(value))
    assert back == value
    assert (type(back.item), back.total, back.gift) == (RareItem, 2, {1})
    assert back.model_fields_set == value.model_fields_set
    assert back.item.model_fields_set == {"name", "age"}


def test_a_time_that_pydantic_read_comes_back():
    """The time zone class of pydantic survives like those of the standard library."""
    value = Order.model_validate_json('{"item": {"name": "a"}, "placed": "2024-01-01T00:00:00+05:30"}').placed
    back = decode(encode(value))
    assert back == value
    assert type(back.tzinfo) is type(value.tzinfo)


def test_private_attributes_come_back_or_get_their_default():
    """A private value survives; a private resource that cannot be stored is made anew."""
    value = Counter()
    value._count = 5
    back = decode(encode(value))
    assert back._count == 5
    assert type(back._lock) is type(value._lock)
    assert back._lock is not value._lock


def test_what_was_passed_over_leaves_no_trace():
    """After a private attribute or an enum value that cannot be stored, paths and depths are right."""
    many = [Counter() for _ in range(300)]
    for each in many:
        each._lock = [threading.Lock()]
    assert len(decode(encode(many))) == 300
    with pytest.raises(SerializationError, match=r"^\[2\]\.x \("):
        encode([many[0], Colour.OPEN, {"x": Odd()}])


def test_a_private_attribute_without_a_default_must_be_storable():
    """What could neither be stored nor made anew is refused."""
    value = Handle()
    value._open = threading.Lock()
    with pytest.raises(SerializationError, match=r"_open"):
        encode(value)


def test_a_field_that_is_new_gets_its_default(monkeypatch):
    """Code that is fixed between a failure and a retry may add fields with defaults."""
    point, item = encode(Point(1)), encode(Item(name="a"))
    point, item = json.loads(point), json.loads(item)
    del point["value"]["y"], item["value"]["price"]
    assert decode(json.dumps(point)) == Point(1, 0)
    assert decode(json.dumps(item)) == Item(name="a")
    del point["value"]["x"], item["value"]["name"]
    for wire in (point, item):
        with pytest.raises(SerializationError, match="give it a default"):
            decode(json.dumps(wire))


def test_a_field_that_is_gone_is_left_out():
    """Code that is fixed between a failure and a retry may drop fields."""
    wire = json.loads(encode(Point(1, 2)))
    wire["value"]["z"] = 3
    assert decode(json.dumps(wire)) == Point(1, 2)


def test_a_dict_subclass_may_declare_itself_plain():
    """The engine's own data class is stored as the dict it is."""
    assert encode(Plain(a=1)) == '{"a":1}'
    assert same(decode(encode({"d": Plain(a={1})})), {"d": {"a": {1}}})


def test_equal_sets_have_equal_texts():
    """The order of a set of strings differs between processes, its text does not."""
    assert encode({"b", "a", "c"}) == encode({"c", "b", "a"})
    assert json.loads(encode({"b", "a", "c"}))["value"] == ["a", "b", "c"]


class Odd:
    """No type that can be stored."""


class Zone(tzinfo):
    def utcoffset(self, when):
        return timedelta(0)


def a_function():
    """Is no value."""


def local_class():
    """Return an instance of a class that no name leads to."""

    @dataclass
    class Local:
        x: int = 1

    return Local()


def replaced_class():
    """Return an instance of a class whose name stands for another one."""
    twin = dataclass(type("Point", (), {"__annotations__": {"x": int}, "__module__": __name__}))
    return twin(1)


Record = collections.namedtuple("Record", "a b")  # noqa: PYI024


@pytest.mark.parametrize(
    ("value", "named", "advice"),
    [
        (Odd(), r"\(.*Odd\)", "dataclass"),
        (a_function, "function", "Store its name"),
        (Odd, r"builtins\.type", "Store its name"),
        (1j, "complex", "dataclass"),
        (range(3), "range", "dataclass"),
        (iter([1]), "list_iterator", r"list\(…\)"),
        (bytearray(b"a"), "bytearray", "dataclass"),
        (collections.OrderedDict(a=1), "OrderedDict", r"dict\(…\)"),
        (collections.defaultdict(list), "defaultdict", r"dict\(…\)"),
        (collections.Counter("a"), "Counter", r"dict\(…\)"),
        (Record(1, 2), "Record", r"tuple\(…\)"),
        (type("Text", (str,), {})("a"), "Text", r"str\(…\)"),
        (type("Number", (int,), {})(1), "Number", r"int\(…\)"),
        (msgspec.Raw(b"1"), "Raw", "bytes|dataclass"),
        (PurePosixPath("a"), "PurePosixPath", "dataclass"),
        (PureWindowsPath("a"), "PureWindowsPath", "dataclass"),
        (Path("a\udcff"), "PosixPath", "surrogates"),
        (datetime(2024, 1, 1, tzinfo=Zone()), "datetime", "zoneinfo"),
        ("a\ud800", "str", "surrogates"),
        (Stuffed(), "Stuffed", "built-in"),
        (local_class(), "Local", "top level"),
        (replaced_class(), "Point", "something else"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_stored_is_refused_by_type_and_place(value, named, advice):
    """The message names the place inside the value and the type, and says what to do instead."""
    with pytest.raises(
        SerializationError, match=rf"^items\[2\]\.price .*{named}.* cannot be stored"
    ) as caught:
        encode({"items": [1, 2, {"price": value}]})
    with pytest.raises(SerializationError, match=advice):
        encode(value)
    assert "object at 0x" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (Odd(), r"The value"),
        ([Odd()], r"\[0\]"),
        ({"a b": Odd()}, r"\['a b'\]"),
        ({3: Odd()}, r"\[3\]"),
        ({Odd: 1}, r"\[<key>\]|<key>"),
        (Point(1, {"k": (Odd(),)}), r"y\.k\[0\]"),
        (Order.model_construct(item=Item.model_construct(name=Odd())), r"item\.name"),
    ],
)
def test_places_read_like_python(value, place):
    """A path can be pasted behind the name of the variable, or starts with the name of the root."""
    with pytest.raises(SerializationError, match=rf"^{place} \("):
        encode(value)
    with pytest.raises(SerializationError, match=r"^order"):
        encode(value, root="order")


def test_a_surrogate_in_a_key_is_refused():
    """Keys are text too."""
    for value in ({"\ud800": 1}, {"\ud800": {1}}, {"a": {"\ud800": b""}}):
        with pytest.raises(SerializationError, match="surrogates"):
            encode(value)


def test_a_value_that_contains_itself_is_refused():
    """Circles are found by following them, not by running out of stack, however many ways lead round."""
    wide = []
    wide += [wide, wide]
    point = Point(1)
    point.y = {"back": (point,)}
    for value in (wide, point, {"a": wide}):
        with pytest.raises(SerializationError, match="contains itself"):
            encode(value)


def test_one_value_in_two_places_is_no_circle():
    """It comes back as two equal values."""
    shared = {1}
    assert decode(encode([shared, shared, {"x": shared}])) == [{1}, {1}, {"x": {1}}]


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"a": x}, lambda x: (x,), lambda x: {1: x}, Point])
def test_a_hundred_levels_are_no_problem_and_too_many_are_refused(wrap):
    """Depth ends in an answer, not in a RecursionError."""
    value = 0
    for _ in range(120):
        value = wrap(value)
    assert encode(decode(encode(value))) == encode(value)
    for _ in range(100_000):
        value = wrap(value)
    with pytest.raises(SerializationError, match="nested"):
        encode(value)


@pytest.mark.parametrize(
    "wire",
    [
        {"$type": "dataclass", "class": "os:system", "value": {}},
        {"$type": "dataclass", "class": "builtins:eval", "value": {}},
        {"$type": "enum", "class": "builtins:eval", "name": "x"},
        {"$type": "model", "class": "builtins:object", "value": {}},
        {"$type": "dataclass", "class": "subprocess:Popen", "value": {"args": "id"}},
        {"$type": "model", "class": f"{__name__}:Point", "value": {}},
        {"$type": "dataclass", "class": f"{__name__}:Item", "value": {}},
        {"$type": "enum", "class": f"{__name__}:Status", "name": "LOST"},
        {"$type": "enum", "class": f"{__name__}:Status", "name": ["PAID"]},
        {"$type": "dataclass", "class": 5, "value": {}},
        {"$type": "dataclass", "value": {}},
        {"$type": "dataclass", "class": f"{__name__}:Point", "value": [1]},
        {"$type": "dataclass", "class": "no-colon", "value": {}},
        {"$type": "datetime", "value": "yesterday"},
        {"$type": "datetime", "value": 5},
        {"$type": "datetime", "value": "2024-01-01", "zone": "../../etc/passwd"},
        {"$type": "datetime", "value": "2024-01-01", "zone": "Nowhere/Land"},
        {"$type": "datetime", "value": "2024-01-01", "fold": 7},
        {"$type": "timedelta", "value": [1]},
        {"$type": "timedelta", "value": [10**12, 0, 0]},
        {"$type": "decimal", "value": "one"},
        {"$type": "bytes", "value": "%%%"},
        {"$type": "set", "value": [[1]]},
        {"$type": "set", "value": "abc"},
        {"$type": "dict", "value": [[[], 1]]},
        {"$type": "dict", "value": [[1]]},
        {"$type": "int", "value": "1.5"},
        {"$type": "int"},
        {"$type": "tensor", "value": 1},
        {"$type": ["int"], "value": "1"},
        {"$type": None},
    ],
    ids=str,
)
def test_malformed_content_is_refused(wire):
    """A store that somebody edited, or wrote on purpose, gives one clear error."""
    with pytest.raises(SerializationError, match=r"^A stored "):
        decode(json.dumps([{"inside": wire}]))


@pytest.mark.parametrize(
    "text", ["", "{", "nope", "NaN", '"\ud800"', "[" * 100_000, '{"$type": "int"', "[1] 2"]
)
def test_text_that_is_no_json_is_refused(text):
    """Also text that is too deep or has no UTF-8 form."""
    for read in (decode, decode_plain):
        with pytest.raises(SerializationError, match=r"stored value is n"):
            read(text)


class Resource:
    """Must not be made, not even by halves, because a stored name says so."""

    made: ClassVar[list[object]] = []

    def __del__(self):
        self.made.append(self)


@pytest.mark.parametrize("tag", ["dataclass", "model", "enum"])
def test_other_classes_are_never_made(tag):
    """A name in the store makes instances of dataclasses, models and enums only."""
    with pytest.raises(SerializationError, match="another kind of class"):
        decode(json.dumps({"$type": tag, "class": f"{__name__}:Resource", "value": {}, "name": "x"}))
    assert Resource.made == []


def test_a_tag_cannot_hide_behind_an_escape():
    """However the key is spelled, it is a tag."""
    assert decode('{"\\u0024type": "uuid", "value": "00000000000000000000000000000005"}') == uuid.UUID(int=5)


def test_a_class_that_is_not_loaded_is_named_with_its_module():
    """The message says which module to import; nothing is imported."""
    text = '{"$type": "dataclass", "class": "antigravity:Order", "value": {"id": 1}}'
    with pytest.raises(UnknownTypeError, match="import antigravity"):
        decode(text)
    assert "antigravity" not in sys.modules
    with pytest.raises(UnknownTypeError, match="no such class any more"):
        decode(f'{{"$type": "dataclass", "class": "{__name__}:Gone", "value": {{}}}}')


def test_a_module_is_not_asked_for_attributes_that_it_would_compute(monkeypatch):
    """A stored name never runs a module's ``__getattr__``."""
    asked = []
    module = types.ModuleType("lazy_module")
    module.__getattr__ = asked.append
    monkeypatch.setitem(sys.modules, "lazy_module", module)
    with pytest.raises(UnknownTypeError):
        decode('{"$type": "dataclass", "class": "lazy_module:Thing", "value": {}}')
    assert asked == []


def test_looking_at_data_needs_no_classes():
    """Without the classes, instances are dicts and members their values; the rest is as ever."""
    value = {
        "order": Order(item=Item(name="ring"), gift=1),
        "point": Point(1, {2: Fixed("f")}),
        "status": Status.PAID,
        "open": Colour.OPEN,
        "right": Right.READ,
        "when": date(2024, 1, 1),
        "fixed": {Fixed("a")},
        "by": {Fixed("a"): 1},
    }
    text = encode(value).replace(f'"{__name__}:', '"gone_module:')
    assert decode_plain(text) == {
        "order": {"item": {"name": "ring", "price": Decimal(1)}, "placed": None, "total": 0, "gift": 1},
        "point": {"x": 1, "y": {2: {"name": "f", "tags": ()}}},
        "status": "paid",
        "open": "OPEN",
        "right": 1,
        "when": date(2024, 1, 1),
        "fixed": [{"name": "a", "tags": ()}],
        "by": {"{'name': 'a', 'tags': ()}": 1},
    }
    with pytest.raises(UnknownTypeError, match="gone_module"):
        decode(text)


def test_looking_at_data_uses_the_classes_there_are():
    """A class that is loaded comes back; one that has changed since is shown as its fields."""
    assert decode_plain(encode(Point(1, Status.PAID))) == Point(1, Status.PAID)
    changed = json.dumps({"$type": "dataclass", "class": f"{__name__}:Point", "value": {"y": 1}})
    assert decode_plain(changed) == {"y": 1}
    assert decode_plain('{"$type": "enum", "class": "os:system", "name": "A", "value": 4}') == 4


def main_module(monkeypatch, **attributes):
    """Return a stand-in for the main program that has a class of its own."""
    main = types.ModuleType("__main__")
    vars(main).update(attributes)
    main.Job = dataclass(type("Job", (), {"__annotations__": {"id": int}, "__module__": "__main__"}))
    monkeypatch.setitem(sys.modules, "__main__", main)
    return main


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"__file__": "/srv/shop_jobs.py"}, "shop_jobs"),
        ({"__file__": "x", "__spec__": types.SimpleNamespace(name="shop.jobs")}, "shop.jobs"),
        ({}, "__main__"),
    ],
)
def test_the_main_program_is_stored_under_its_module_name(monkeypatch, attributes, name):
    """A run made by a script can be read where the script is imported, and the other way round."""
    main = main_module(monkeypatch, **attributes)
    text = encode(main.Job(1))
    assert json.loads(text)["class"] == f"{name}:Job"
    assert decode(text) == main.Job(1)

    imported = types.ModuleType(name)
    imported.Job = dataclass(type("Job", (), {"__annotations__": {"id": int}, "__module__": name}))
    monkeypatch.delitem(sys.modules, "__main__")
    monkeypatch.setitem(sys.modules, name, imported)
    assert type(decode(text)) is imported.Job


def test_a_script_inside_a_package_has_the_name_of_the_package_too(monkeypatch, tmp_path):
    """It would be imported under its dotted name."""
    folder = tmp_path / "shop" / "flows"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent):
        (package / "__init__.py").touch()
    main = main_module(monkeypatch, __file__=str(folder / "orders.py"))
    text = encode(main.Job(1))
    assert json.loads(text)["class"] == "shop.flows.orders:Job"
    assert decode(text) == main.Job(1)


def test_a_script_may_have_the_name_of_a_loaded_module(monkeypatch):
    """A script called json.py does not lose its classes to the module json."""
    main = main_module(monkeypatch, __file__="/srv/json.py")
    assert type(decode(encode(main.Job(1)))) is main.Job


def test_a_class_that_is_loaded_twice_is_refused(monkeypatch):
    """A program that also imports itself has two classes of one name; which one was meant cannot be told."""
    main = main_module(monkeypatch, __file__="/srv/twice.py")
    again = types.ModuleType("twice")
    again.Job = dataclass(type("Job", (), {"__annotations__": {"id": int}, "__module__": "twice"}))
    monkeypatch.setitem(sys.modules, "twice", again)
    with pytest.raises(SerializationError, match="load the module only once"):
        encode(main.Job(1))


def test_nan_is_written_by_name():
    """JSON has no word for it."""
    assert encode(math.nan) == '{"$type":"float","value":"nan"}'
