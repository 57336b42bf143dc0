"""Model classes that pydantic completes when they are first used.

Pydantic inspects the fields of a class when its class statement runs, even with `defer_build`. That takes several times
as long as creating the class, and a process imports three times as many models as it uses.

Until it is used, a model is an ordinary class, which serves for annotations, unions, `isinstance` and `match`. Creating
an object completes it, and so does reading any attribute that not every class has.
"""

from abc import ABCMeta
from threading import RLock
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

_STATEMENT = "__class_statement__"
_IN_EVERY_CLASS = frozenset({*vars(object), *vars(type), _STATEMENT})
_READ_BY_TYPING = frozenset({"__typing_unpacked_tuple_args__"})  # of everything that is given to `Annotated`
_completing = RLock()


class _Body(dict[str, Any]):
    """The body of a class statement that has created `cls` already; pydantic's metaclass changes it."""

    def __init__(self, cls: type, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.cls = cls
        self.created_from = body


class _ClassCreation(ABCMeta):
    """The base that pydantic's metaclass calls to create the class."""

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any) -> Any:
        """Return a new class, or the one that exists with the changes that pydantic has made to its body."""
        if not isinstance(body, _Body):
            return super().__new__(mcs, name, bases, body, **options)
        for attribute in body.created_from.keys() - body.keys():
            delattr(body.cls, attribute)
        for attribute, value in body.items():
            if body.created_from.get(attribute, body) is not value:
                setattr(body.cls, attribute, value)
        return body.cls


class DeferredModelType(ModelMetaclass, _ClassCreation):
    """The type of models. Annotations that are strings must not refer to local names."""

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any) -> Any:
        """Create a class, and leave the rest for its first use unless the class statement has options."""
        if options:
            return super().__new__(DeferredModelType, name, bases, body, **options)
        cls = ABCMeta.__new__(_Unused, name, bases, body)
        setattr(cls, _STATEMENT, (bases, body))
        return cls


class _Unused(DeferredModelType):
    """The type of models that have not been used."""

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        _complete(cls)
        return cls(*arguments, **named)

    def __getattribute__(cls, name: str) -> Any:
        if name not in _IN_EVERY_CLASS and name not in _READ_BY_TYPING:
            _complete(cls)
        return type.__getattribute__(cls, name)


def _complete(cls: type) -> None:
    """Let pydantic complete `cls`; has no effect if it is complete, or if this thread is completing it."""
    with _completing:
        if _STATEMENT not in cls.__dict__:
            return
        bases, body = cls.__dict__[_STATEMENT]
        delattr(cls, _STATEMENT)
        try:
            ModelMetaclass.__new__(
                DeferredModelType,
                cls.__name__,
                bases,
                _Body(cls, body),
                __pydantic_reset_parent_namespace__=False,  # it would be the names of this function
            )
        except BaseException:
            setattr(cls, _STATEMENT, (bases, body))
            raise
        cls.__class__ = DeferredModelType
