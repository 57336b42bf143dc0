"""Keys with several names: each layer is converted to the canonical names."""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo


def names_of(key: str, info: FieldInfo) -> list[str]:
    """Return the names of a field, the canonical one first."""
    alias = info.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [key]


def canonical(table: Any, annotation: Any) -> Any:
    """Return `table` with canonical keys; if a key occurs under two names, the canonical one takes precedence."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, UnionType):
        return next(
            (one for part in get_args(annotation) if (one := canonical(table, part)) is not table), table
        )
    if isinstance(table, list) and get_origin(annotation) is list:
        return [canonical(item, get_args(annotation)[0]) for item in table]
    if not isinstance(table, Mapping):
        return table
    if get_origin(annotation) is dict:
        return {key: canonical(item, get_args(annotation)[1]) for key, item in table.items()}
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return table
    fields = annotation.model_fields
    own = {name: key for key, info in fields.items() for name in names_of(key, info)}
    named = {
        own.get(key, key): item
        for key, item in table.items()
        if own.get(key, key) == key or own[key] not in table
    }
    return {
        key: canonical(item, fields[key].annotation) if key in fields else item for key, item in named.items()
    }
