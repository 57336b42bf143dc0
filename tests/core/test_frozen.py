"""`frozen` does what `dataclass(frozen=True, slots=True)` does."""

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest

from code_core.frozen import frozen


def classes(decorator: Callable[[type[Any]], type[Any]]) -> dict[str, type[Any]]:
    """The same classes, made by `decorator`."""

    @decorator
    class Point:
        """Fields with and without a default."""

        x: int
        y: int = 0
        names: list[str] = field(default_factory=list)
        note: str = field(default="", compare=False, repr=False)

    @decorator
    class Named(Point):
        """One more field."""

        label: str = field(default="", kw_only=True)

    @decorator
    class Empty:
        """No fields."""

    @decorator
    class Checked:
        """Validates its fields."""

        size: int
        double: int = field(init=False, default=0)

        def __post_init__(self) -> None:
            object.__setattr__(self, "double", 2 * self.size)

        def __repr__(self) -> str:
            return f"<{self.size}>"

    return {one.__name__: one for one in (Point, Named, Empty, Checked)}


OURS = classes(frozen)
THEIRS = classes(dataclass(frozen=True, slots=True))


@frozen
class Kept:
    """One that can be pickled."""

    value: int = 1


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Point", (1,), {}),
    ("Point", (1, 2, ("a",)), {}),
    ("Point", (), {"x": 1, "note": "n"}),
    ("Named", (1,), {"label": "l", "names": ("a",)}),
    ("Empty", (), {}),
    ("Checked", (3,), {}),
]


@pytest.mark.parametrize(("name", "arguments", "named"), CALLS)
def test_objects_are_created_shown_and_hashed_alike(name: str, arguments: Any, named: Any) -> None:
    made: list[Any] = [kinds[name](*arguments, **named) for kinds in (OURS, THEIRS)]
    ours, theirs = made
    values = [{part.name: getattr(one, part.name) for part in fields(one)} for one in made]
    assert values[0] == values[1]
    assert repr(ours) == repr(theirs)
    assert type(ours).__match_args__ == type(theirs).__match_args__
    assert type(ours).__slots__ == type(theirs).__slots__
    if name != "Checked" and not isinstance(values[0].get("names"), list):
        assert hash(ours) == hash(theirs)


@pytest.mark.parametrize("kinds", [OURS, THEIRS])
def test_objects_are_compared_alike(kinds: dict[str, type[Any]]) -> None:
    point, named = kinds["Point"], kinds["Named"]
    assert point(1) == point(1, note="other")
    assert point(1) != point(2)
    assert point(1) != named(1)
    assert point(1) != (1, 0, [])
    assert point(1).names is not point(1).names
    assert kinds["Empty"]() == kinds["Empty"]()
    assert is_dataclass(kinds["Point"])
    changed: Any = replace(point(1, 2), y=3)
    assert changed == point(1, 3)


@pytest.mark.parametrize("kinds", [OURS, THEIRS])
def test_invalid_arguments_are_rejected_alike(kinds: dict[str, type[Any]]) -> None:
    wrong: list[Any] = [((), {}), ((1, 2, [], "", 5), {}), ((1,), {"z": 1}), ((1,), {"x": 1})]
    for arguments, named in wrong:
        with pytest.raises(TypeError, match=r"Point\.__init__\(\)"):
            kinds["Point"](*arguments, **named)
    assert [*inspect.signature(kinds["Point"]).parameters] == ["x", "y", "names", "note"]


@pytest.mark.parametrize("kinds", [OURS, THEIRS])
def test_fields_cannot_be_assigned(kinds: dict[str, type[Any]]) -> None:
    made = kinds["Point"](1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        made.x = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del made.x
    with pytest.raises((FrozenInstanceError, TypeError, AttributeError)):
        made.other = 1
    assert made.x == 1


def test_copies_and_pickles_are_equal() -> None:
    point = OURS["Point"](1, 2, ["a"])
    assert copy.copy(point) == point
    deep = copy.deepcopy(point)
    assert deep == point
    assert deep.names is not point.names
    assert pickle.loads(pickle.dumps(Kept(3))) == Kept(3)  # noqa: S301 - our own


def test_a_class_without_a_docstring_does_not_get_one_from_its_signature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inspect, "signature", None)  # the first call takes milliseconds

    @frozen
    class Undocumented:
        number: int

    assert Undocumented.__doc__ is None
    assert Undocumented(1).number == 1
