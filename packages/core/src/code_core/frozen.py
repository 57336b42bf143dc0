"""Frozen dataclasses that are cheap to define.

`dataclass(frozen=True, slots=True)` compiles six methods for each class, which takes ten times as long as
the rest of the class definition, and a process defines a hundred classes but uses only a few. Here, classes
share their methods, and `__init__` is compiled when the first object is created.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass with slots, like `dataclass(frozen=True, slots=True)` but cheaper."""
    text = cls.__doc__
    cls.__doc__ = text or cls.__name__  # without one, `dataclass` makes it from the signature, which is slow
    frozen_class: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    frozen_class.__doc__ = text
    compared = [one.name for one in fields(frozen_class) if one.compare]

    def define_and_init(self: Any, *arguments: Any, **named: Any) -> None:
        frozen_class.__init__ = _init(frozen_class)
        frozen_class.__init__(self, *arguments, **named)

    methods: dict[str, Any] = {
        "__init__": define_and_init,
        "__repr__": _repr,
        "__eq__": _eq,
        "__hash__": _hash,
        "__reduce__": _reduce,
    }
    for name, method in methods.items():
        if name not in cls.__dict__ or cls.__dict__[name] is None:
            setattr(frozen_class, name, method)
    frozen_class.__compared__ = staticmethod(attrgetter(*compared) if compared else _nothing)
    frozen_class.__setattr__ = _assign
    frozen_class.__delattr__ = _delete
    result: type[T] = frozen_class
    return result


def _init(cls: type[Any]) -> Callable[..., None]:
    """Compile the `__init__` of `cls`."""
    known: dict[str, Any] = {}
    required: list[str] = []
    optional: list[str] = []
    by_name: list[str] = []
    body: list[str] = []
    for number, one in enumerate(fields(cls)):
        known[f"set{number}"] = getattr(cls, one.name).__set__
        value = one.name if one.init else f"default{number}()"
        parameter = one.name
        if one.default_factory is not MISSING:
            known |= {f"default{number}": one.default_factory, "MISSING": MISSING}
            parameter = f"{one.name}=MISSING"
            value = f"default{number}() if {one.name} is MISSING else {one.name}" if one.init else value
        elif one.default is not MISSING:
            known[f"default{number}"] = one.default
            parameter = f"{one.name}=default{number}"
            value = one.name if one.init else f"default{number}"
        if one.init:
            (by_name if one.kw_only else optional if "=" in parameter else required).append(parameter)
        body.append(f"    set{number}(self, {value})\n")
    if hasattr(cls, "__post_init__"):
        body.append("    self.__post_init__()\n")
    parameters = ", ".join(["self", *required, *optional, *(["*", *by_name] if by_name else [])])
    exec(f"def __init__({parameters}):\n{''.join(body) or '    pass'}", known)  # noqa: S102 - built only from field names
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _nothing(_: object) -> tuple[()]:
    return ()


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({shown})"


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    values = self.__compared__
    return values(self) == values(other)


def _hash(self: Any) -> int:
    return hash(self.__compared__(self))


def _assign(_object: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(_object: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _reduce(self: Any) -> tuple[Any, ...]:
    return _restored, (type(self), [getattr(self, one.name) for one in fields(self)])


def _restored(cls: type[T], values: list[Any]) -> T:
    """Restore a copied or unpickled object."""
    instance = object.__new__(cls)
    one: Field[Any]
    for one, value in zip(fields(cls), values, strict=True):  # type: ignore[arg-type] # made by `frozen`
        object.__setattr__(instance, one.name, value)
    return instance
