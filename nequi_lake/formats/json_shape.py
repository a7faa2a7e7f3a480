"""What an object of JSON may have: its keys, as a strict type that decodes it, and as the engine reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import msgspec
import polars as pl
from msgspec import UNSET, Raw, UnsetType
from polars._typing import PolarsDataType

from nequi_lake.formats.drift import Extra
from nequi_lake.formats.types import integer_bounds, json_type

_KEYS = dict[str, Raw]
_NULL = b"null"
_MAP = {"key", "value"}


class Allowed(NamedTuple):
    """What a file's objects may have beside the keys of a schema. Keys in objects, and in lists of them, are dotted."""

    optional: tuple[str, ...] = ()
    renamed: Mapping[str, str] = {}
    extra: Extra = "refuse"
    as_text: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Key:
    """A key of an object.

    Attributes:
        name: its name.
        field: the name of the decoded object's field, as a key may be no name of Python's.
        dtype: the type of its values.
        path: the keys that lead to it.
        is_optional: whether an object may lack it.
        old: the name that it has in some objects; empty where it has one.
        old_field: the field of that.
        inner: what the object or objects in it have; None where it has none.
        is_text, is_map: whether its JSON is kept as text, and whether it is an object of any keys.
    """

    name: str
    field: str
    dtype: pl.DataType
    path: str
    is_optional: bool
    old: str
    old_field: str
    inner: Shape | None
    is_text: bool
    is_map: bool


class Shape:
    """The keys of an object, and of the objects in it."""

    _has_renamed: bool

    def __init__(self, schema: Mapping[str, PolarsDataType], allowed: Allowed, above: str = "") -> None:
        self.keys = tuple(_keys(schema, allowed, above))
        self._allowed = allowed
        self._certain = sum(not (key.is_optional or key.old) for key in self.keys)
        self._special = [
            key for key in self.keys if key.is_optional or key.old or key.inner or key.is_text or key.is_map
        ]
        self._renamed = [key for key in self.keys if key.old]
        self._has_renamed = bool(self._renamed) or any(key.inner and key.inner._has_renamed for key in self.keys)

    def decoded_as(self, bound: float | None, name: str = "Record") -> type:
        """A strict type of these keys, each of them null or of its type.

        Args:
            bound: the largest floating point number that is allowed, of either sign; None where all are.
            name: of the type.
        """
        fields: list[Any] = []
        names: dict[str, str] = {}
        for key in self.keys:
            # Raw stands for null too, and for nothing in a union.
            value = _type(key, bound) if key.is_text else _type(key, bound) | None
            names[key.field] = key.name
            may_lack = key.is_optional or key.old
            unset = value if key.is_text else value | UnsetType
            fields.append((key.field, unset, UNSET) if may_lack else (key.field, value))
            if key.old:
                names[key.old_field] = key.old
                fields.append((key.old_field, unset, UNSET))
        fields.sort(key=len)
        return msgspec.defstruct(
            name, fields, forbid_unknown_fields=self._allowed.extra == "refuse", rename=names, kw_only=True
        )

    def count_keys(self, found: Any) -> int:
        """How many keys a decoded value and the objects in it have; a missing object has none."""
        if found is None:
            return 0
        if isinstance(found, list):
            return sum(map(self.count_keys, found))
        count = self._certain
        for key in self._special:
            value = getattr(found, key.field)
            if key.old and value is UNSET:
                value = getattr(found, key.old_field)
            if value is UNSET:
                continue
            count += key.is_optional or bool(key.old)
            if key.is_text:
                count += bytes(value).count(b'":')
            elif key.is_map:
                count += len(value or ())
                if key.inner:
                    count += sum(map(key.inner.count_keys, (value or {}).values()))
            elif key.inner:
                count += key.inner.count_keys(value)
        return count

    def name_problem(self, found: Any) -> str | None:
        """Why the names of a decoded object's keys are not right, of those that have two; None where they are."""
        if not self._has_renamed or found is None:
            return None
        if isinstance(found, list):
            return next(filter(None, map(self.name_problem, found)), None)
        for key in self._renamed:
            has, has_old = (getattr(found, field) is not UNSET for field in (key.field, key.old_field))
            if has and has_old:
                return f"both `{key.path}` and `{key.old}`, which is its name in some files"
            if not has and not has_old and not key.is_optional:
                return f"neither `{key.path}` nor `{key.old}`, which is its name in some files"
        inside = ((key.inner, getattr(found, key.field)) for key in self.keys if key.inner and not key.is_map)
        return next(filter(None, (shape.name_problem(value) for shape, value in inside if value is not UNSET)), None)

    def undeclared(self, found: Any) -> Iterator[tuple[str, Any]]:
        """Path and value of each key of an object, decoded as it is, that is not declared."""
        if isinstance(found, list):
            for each in found:
                yield from self.undeclared(each)
        elif isinstance(found, dict):
            above = self.keys[0].path.removesuffix(self.keys[0].name) if self.keys else ""
            known = {name: key for key in self.keys for name in (key.name, key.old) if name}
            for name, value in found.items():
                key = known.get(name)
                if key is None:
                    yield above + name, value
                elif key.inner and key.is_map and isinstance(value, dict):
                    for each in value.values():
                        yield from key.inner.undeclared(each)
                elif key.inner:
                    yield from key.inner.undeclared(value)

    @property
    def is_rewritten(self) -> bool:
        """Whether the engine cannot read an object as it is written."""
        return any(key.is_text or key.is_map or (key.inner and key.inner.is_rewritten) for key in self.keys)

    def rewritten(self, text: bytes) -> bytes:
        """An object as the engine reads it: what is kept as text is a text, a map is a list; all else byte for byte."""
        known = {name: key for key in self.keys for name in (key.name, key.old) if name}
        parts = []
        for name, raw in msgspec.json.decode(text, type=_KEYS).items():
            key, value = known.get(name), bytes(raw)
            if key is not None and value != _NULL:
                if key.is_text:
                    value = msgspec.json.encode(value.decode())
                elif key.is_map:
                    value = _as_list(value)
                elif key.inner and key.inner.is_rewritten:
                    value = key.inner.rewritten(value)
            parts.append(msgspec.json.encode(name) + b":" + value)
        return b"{" + b",".join(parts) + b"}"

    @property
    def engine_schema(self) -> dict[str, PolarsDataType]:
        """What the engine decodes: the schema, and the names that keys have in some files."""
        found: dict[str, PolarsDataType] = {}
        for key in self.keys:
            dtype: PolarsDataType = key.dtype
            if key.inner and isinstance(dtype, pl.Struct):
                dtype = pl.Struct(key.inner.engine_schema)
            found[key.name] = dtype
            if key.old:
                found[key.old] = dtype
        return found

    def columns(self, value: Callable[[str], pl.Expr] = pl.col) -> Iterator[pl.Expr]:
        """The keys of the schema by their names, of what the engine decoded.

        Args:
            value: name of a key → what the engine has of it.
        """
        for key in self.keys:
            found = pl.coalesce(value(key.name), value(key.old)) if key.old else value(key.name)
            if key.inner and isinstance(key.dtype, pl.Struct) and key.inner._has_renamed:
                inner = pl.struct(list(key.inner.columns(found.struct.field)))
                found = pl.when(found.is_not_null()).then(inner)
            yield found.alias(key.name)


def paths_of(schema: Mapping[str, PolarsDataType], above: str = "") -> Iterator[tuple[str, pl.DataType, bool]]:
    """Each key of a schema and of the objects in it: dotted path, type, and whether it is in a list of objects."""
    for name, declared in schema.items():
        dtype = declared() if isinstance(declared, type) else declared
        yield above + name, dtype, False
        inner, is_listed = dtype, False
        while isinstance(inner, pl.List):
            inner, is_listed = _instance(inner.inner), True
        if isinstance(inner, pl.Struct):
            for path, of_path, was_listed in paths_of(inner.to_schema(), f"{above}{name}."):
                yield path, of_path, is_listed or was_listed


def is_map_type(dtype: PolarsDataType) -> bool:
    """Whether a type is that of a map: a list of objects with a text ``key`` and a ``value``."""
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return False
    fields = dtype.inner.to_schema()
    return set(fields) == _MAP and fields["key"] == pl.String


def _keys(schema: Mapping[str, PolarsDataType], allowed: Allowed, above: str) -> Iterator[_Key]:
    for number, (name, declared) in enumerate(schema.items()):
        path, dtype = above + name, _instance(declared)
        is_map = path in allowed.maps
        within: pl.DataType = dtype
        if is_map and isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
            within = _instance(dtype.inner.to_schema()["value"])
        while isinstance(within, pl.List):
            within = _instance(within.inner)
        yield _Key(
            name=name,
            field=f"key_{number}",
            dtype=dtype,
            path=path,
            is_optional=path in allowed.optional,
            old=allowed.renamed.get(path, ""),
            old_field=f"old_{number}",
            inner=Shape(within.to_schema(), allowed, f"{path}.") if isinstance(within, pl.Struct) else None,
            is_text=path in allowed.as_text,
            is_map=is_map,
        )


def _type(key: _Key, bound: float | None) -> Any:
    if key.is_text:
        return Raw
    if key.is_map:
        assert isinstance(key.dtype, pl.List)
        assert isinstance(key.dtype.inner, pl.Struct)
        return dict[str, _type_of(key, key.dtype.inner.to_schema()["value"], bound) | None]  # type: ignore[misc]
    return _type_of(key, key.dtype, bound)


def _type_of(key: _Key, declared: PolarsDataType, bound: float | None) -> Any:
    dtype = _instance(declared)
    if isinstance(dtype, pl.Struct):
        assert key.inner is not None
        return key.inner.decoded_as(bound, key.name)
    if isinstance(dtype, pl.List):
        return list[_type_of(key, dtype.inner, bound)]  # type: ignore[misc]
    return value_type(dtype, bound)


def value_type(dtype: pl.DataType, bound: float | None) -> Any:
    """The strict type of a single value.

    Raises:
        DeclarationError: JSON has no such values.
    """
    python = json_type(dtype)
    if python is int:
        low, high = integer_bounds(dtype)
        return Annotated[int, msgspec.Meta(ge=low, le=high)]
    if python is float and bound is not None:
        return Annotated[float, msgspec.Meta(ge=-bound, le=bound)]
    return python


def _instance(dtype: PolarsDataType) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype


def _as_list(text: bytes) -> bytes:
    """A map as a list of objects with a key and a value."""
    found = msgspec.json.decode(text, type=_KEYS)
    return (
        b"["
        + b",".join(
            b'{"key":' + msgspec.json.encode(name) + b',"value":' + bytes(value) + b"}" for name, value in found.items()
        )
        + b"]"
    )
