"""Records: classes that hold named values. In: annotated fields; out: a constructor, a repr, equality, and no surprises.

Used like `dataclasses.dataclass`, and type checkers read it so, but a record is frozen unless it says otherwise. A dataclass
writes and compiles Python text for its methods, about a millisecond per class; a process that imports a hundred of them pays for
that before its first step. Records share the same few functions, so that defining one costs next to nothing. Only a class of
which many records are made gets methods written for its fields then, which are a third faster.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")
_MISSING: Any = object()
_MANY = 200  # records of one class, before it gets methods of its own
_set = object.__setattr__  # not through __dict__: attributes of an object whose dict was asked for are slower to read


class Field:
    """What `field` says about one field."""

    __slots__ = ("compare", "default", "default_factory")

    def __init__(self, default: Any, default_factory: Any, compare: bool) -> None:
        self.default, self.default_factory, self.compare = default, default_factory, compare


def field(*, default: Any = _MISSING, default_factory: Any = _MISSING, compare: bool = True) -> Any:
    """A field whose default is made for every record by ``default_factory()``, or that does not take part in comparisons."""
    return Field(default, default_factory, compare)


@dataclass_transform(eq_default=True, frozen_default=True, field_specifiers=(field,))
def record(cls: type[T] | None = None, /, *, frozen: bool = True, eq: bool = True) -> Any:
    """Makes a record of the class: its annotations, after those of its bases, are the fields in the order of the constructor.

    frozen: fields cannot be assigned. eq: records of one class with equal fields are equal (and have equal hashes, if frozen);
    without it a record equals itself only. TypeError for a field without a default after one with a default.
    """
    if cls is None:
        return lambda c: _make_record(c, frozen, eq)
    return _make_record(cls, frozen, eq)


def replace(value: T, /, **changes: Any) -> T:
    """A record with some fields changed."""
    old = {name: getattr(value, name) for name in field_names(value)}
    return type(value)(**old | changes)


def field_names(value: Any) -> tuple[str, ...]:
    """The fields of a record or of its class, in order."""
    return tuple(value.__record__)


def _make_record(cls: Any, frozen: bool, eq: bool) -> Any:
    fields: dict[str, Field] = dict(getattr(cls, "__record__", {}))
    for name, annotation in inspect.get_annotations(cls).items():
        if str(annotation).startswith("ClassVar"):
            continue
        given = cls.__dict__.get(name, _MISSING)
        fields[name] = given if isinstance(given, Field) else Field(given, _MISSING, True)
        if isinstance(given, Field) and given.default is not _MISSING:
            setattr(cls, name, given.default)
        elif isinstance(given, Field):
            delattr(cls, name)
    cls.__record__ = fields
    cls.__match_args__ = tuple(fields)  # type: ignore[misc]  # declared final in the stubs
    cls.__init__ = _constructor(cls, fields, frozen, eq)
    if "__repr__" not in cls.__dict__:
        cls.__repr__ = _show
    if eq:
        _compare_values(cls, tuple(n for n, f in fields.items() if f.compare), frozen)
    if frozen:
        cls.__setattr__, cls.__delattr__ = _refuse_change, _refuse_deletion
    return cls


def _constructor(cls: Any, fields: dict[str, Field], frozen: bool, eq: bool) -> Callable[..., None]:
    """The constructor that serves until a class turns out to be used much."""
    title, names, count, left = cls.__qualname__, tuple(fields), len(fields), _MANY
    own = {name for name in ("__eq__", "__hash__") if eq and cls.__dict__.get(name) is None}
    optional = [f.default is not _MISSING or f.default_factory is not _MISSING for f in fields.values()]
    if optional != sorted(optional):
        raise TypeError(f"{title} has a field without a default after one with a default. Received: {names}.")

    def __init__(self: Any, /, *args: Any, **named: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            _write_methods(cls, fields, frozen, own)
        for name, value in zip(names, args):
            _set(self, name, value)
        if len(args) == count and not named:
            return
        if len(args) > count:
            raise TypeError(f"{title} has {count} fields. Received: {len(args)} values.")
        for name in names[len(args) :]:
            _set(self, name, named.pop(name) if name in named else _default(title, name, fields[name]))
        if named:
            raise TypeError(f"{title} has the fields {', '.join(names)}. Received: {', '.join(named)}.")

    return __init__


def _default(title: str, name: str, declared: Field) -> Any:
    if declared.default is not _MISSING:
        return declared.default
    if declared.default_factory is _MISSING:
        raise TypeError(f"{title} needs a value for {name}.")
    return declared.default_factory()


def _compare_values(cls: Any, names: tuple[str, ...], frozen: bool) -> None:
    """Equality, and for frozen records the hash, of these fields."""
    first: Callable[[Any], Any] = operator.attrgetter(*names) if names else lambda _: ()
    get = first if len(names) != 1 else lambda record: (first(record),)

    def __eq__(self: Any, other: object) -> Any:
        return get(self) == get(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(get(self))

    if "__eq__" not in cls.__dict__:
        cls.__eq__ = __eq__
    if cls.__dict__.get("__hash__") is None:
        cls.__hash__ = __hash__ if frozen else None


def _write_methods(cls: Any, fields: dict[str, Field], frozen: bool, wanted: set[str]) -> None:
    """Gives the class methods written for its fields, which are faster."""
    scope: dict[str, Any] = {"put": _set, "missing": _MISSING}
    parameters, lines = [], []
    for name, declared in fields.items():
        value = name
        if declared.default is not _MISSING:
            scope[f"default_{name}"] = declared.default
            parameters.append(f"{name}=default_{name}")
        elif declared.default_factory is not _MISSING:
            scope[f"make_{name}"] = declared.default_factory
            parameters.append(f"{name}=missing")
            value = f"make_{name}() if {name} is missing else {name}"
        else:
            parameters.append(name)
        lines.append(f"    put(record, {name!r}, {value})" if frozen else f"    record.{name} = {value}")
    left, right = ("".join(f"{side}.{n}, " for n, f in fields.items() if f.compare) for side in ("record", "other"))
    text = f"def __init__({', '.join(['record', '/', *parameters])}):\n" + "\n".join(lines or ["    pass"]) + "\n"
    text += "def __eq__(record, other):\n    if other.__class__ is not record.__class__:\n        return NotImplemented\n"
    text += f"    return ({left}) == ({right})\n"
    text += f"def __hash__(record):\n    return hash(({left}))\n"
    exec(text, scope)
    for name in {"__init__"} | (wanted if frozen else wanted - {"__hash__"}):
        scope[name].__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, scope[name])


def _show(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in field_names(self))
    return f"{type(self).__qualname__}({values})"


def _refuse_change(self: Any, name: str, value: Any) -> None:
    raise AttributeError(f"Records do not change. Received: {name} = {value!r}.")


def _refuse_deletion(self: Any, name: str) -> None:
    raise AttributeError(f"Records do not change. Received: del {name}.")
