import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
    computed_field,
    field_validator,
)

from code_core.protocol.deferred import DeferredModelType


class Model(BaseModel, metaclass=DeferredModelType):
    model_config = {"frozen": True, "defer_build": True}


def define(base: type[BaseModel] = Model) -> Any:
    class Point(base):  # type: ignore[misc, valid-type] # a parameter
        """A point."""

        unit: ClassVar[str] = "m"
        kind: Literal["point"] = "point"
        x: int
        y: Annotated[int, Field(ge=0, description="up")] = 0
        labels: list[str] = []
        _cache: dict[str, int] = PrivateAttr(default_factory=dict)

        @field_validator("x", mode="before")
        @classmethod
        def _rounded(cls, value: Any) -> Any:
            return round(value)

        @computed_field  # type: ignore[prop-decorator] # the documented order
        @property
        def total(self) -> int:
            return self.x + self.y

    return Point


def _nested(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(dict[str, list[model | None]])


def is_complete(model: type) -> bool:
    return type(model) is DeferredModelType


def test_referring_to_a_model_does_not_complete_it() -> None:
    point, other = define(), define()

    union: Any = Annotated[list[point] | other | None, "either"]  # type: ignore[valid-type] # made above
    match 1:
        case point() | other():
            raise AssertionError
        case _:
            pass
    assert not isinstance(1, point)
    assert issubclass(point, Model)
    assert (point.__name__, point.__doc__, point.__module__) == ("Point", "A point.", __name__)
    assert len({point, other}) == 2
    assert union
    assert not is_complete(point)
    assert not is_complete(other)


@pytest.mark.parametrize(
    "create",
    [
        lambda model: model(x=1.2),
        lambda model: model.model_validate({"x": 1.2}),
        lambda model: model.model_validate_json('{"x": 1.2}'),
        lambda model: model.model_construct(x=1),
        lambda model: TypeAdapter(model).validate_python({"x": 1.2}),
        lambda model: _nested(model).validate_python({"a": [{"x": 1.2}]})["a"][0],
        lambda model: type("Sub", (model,), {"__module__": __name__})(x=1.2),
    ],
)
def test_every_way_to_create_an_object_completes_the_model(create: Callable[[Any], Any]) -> None:
    model = define()
    point = create(model)
    assert is_complete(model)
    assert isinstance(point, model)
    assert point.model_dump() == {"kind": "point", "x": 1, "y": 0, "labels": [], "total": 1}
    with pytest.raises(ValidationError, match="frozen"):
        point.x = 2


def test_a_complete_model_is_like_one_that_was_never_deferred() -> None:
    model, plain = define(), define(BaseModel)
    assert model.model_fields.keys() == plain.model_fields.keys()
    assert model.model_json_schema() == plain.model_json_schema()
    assert model.unit == "m"
    assert not hasattr(model, "y")  # pydantic moves defaults to the fields
    assert model(x=1)._cache == {}
    left, right = model(x=1), model(x=1)
    assert left == right
    assert left.labels is not right.labels
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        model(x=1, y=-1)


def test_fields_are_inherited_from_models_that_were_not_used() -> None:
    base = define()

    class Labelled(base):  # type: ignore[misc, valid-type] # made above
        name: str

        def described(self) -> str:
            return f"{super().total} {self.name}"

    assert not is_complete(base)
    assert list(Labelled.model_fields) == [*base.model_fields, "name"]
    assert Labelled(x=2.4, name="a").described() == "2 a"


def test_models_with_options_are_complete_immediately() -> None:
    class Open(Model, extra="allow"):
        x: int

    assert is_complete(Open)
    assert Open.model_validate({"x": 1, "y": 2}).model_extra == {"y": 2}


def test_a_mistake_in_a_model_is_reported_at_each_use() -> None:
    class Wrong(Model):
        x = 1  # type: ignore[pydantic-field] # the mistake

    for _ in range(2):
        with pytest.raises(PydanticUserError, match="non-annotated attribute"):
            Wrong()


def test_threads_may_use_a_model_first_at_the_same_time() -> None:
    threads = 8
    for _ in range(20):
        model, barrier = define(), Barrier(threads)

        def use(number: int, model: Any = model, barrier: Barrier = barrier) -> int:
            barrier.wait(30)
            total: int = model(x=number).total
            return total

        with ThreadPoolExecutor(threads) as pool:
            assert list(pool.map(use, range(threads))) == list(range(threads))


def test_importing_the_protocol_completes_no_event_and_no_op() -> None:
    code = """
from code_core.protocol import events, ops
from code_core.protocol.deferred import DeferredModelType
complete = [one.__name__ for module in (events, ops) for one in vars(module).values() if type(one) is DeferredModelType]
assert complete == [], complete
assert len(vars(ops)) > 40
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
