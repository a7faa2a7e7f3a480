"""The keys of JSON objects and the types of their values, from all objects of a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from nequi_lake.drafting.sniffed import Sniffed, cannot_draft
from nequi_lake.formats import JsonLinesFile, Structure, TextFile
from nequi_lake.formats.codecs import opened_text
from nequi_lake.formats.json_documents import documents
from nequi_lake.formats.lines import long_lines
from nequi_lake.progress import bar

_LONGEST = TextFile.max_record_bytes
_MIXED = "mixed"


def json_file(path: Path, encoding: str) -> Sniffed:
    """The file with the types of the values of all its objects.

    Raises:
        UsageError: it has no objects.
    """
    found: dict[str, Any] = {}
    counts = _Counts()
    structure = JsonLinesFile(name=path.name, description="x", schema={"x": pl.Int64}, encoding=encoding).inspect(path)
    with bar(f"types of {path.name}", structure.records, "rows") as progress:
        for value in _values(path, structure, encoding):
            progress.update(1)
            if isinstance(value, dict):
                counts.add(value)
                for name, inner in value.items():
                    found[name] = _merged(found.get(name), _shape(inner))
    if not found:
        raise cannot_draft("the file has no JSON objects", path)
    return Sniffed(
        JsonLinesFile(
            name=path.name,
            description="TODO",
            schema={name: _dtype(shape) for name, shape in found.items()},
            encoding=encoding,
            optional=tuple(counts.optional(found)),
            as_text=tuple(_texts(found)),
        )
    )


class _Counts:
    """How many objects there are at each path, and how many of them have each key."""

    def __init__(self) -> None:
        self._objects, self._having = Counter[str](), Counter[str]()

    def add(self, value: Any, above: str = "") -> None:
        """Count an object, or the objects of a list, and those in them."""
        if isinstance(value, list):
            for element in value:
                self.add(element, above)
        elif isinstance(value, dict):
            self._objects[above] += 1
            for name, inner in value.items():
                self._having[above + name] += 1
                self.add(inner, f"{above}{name}.")

    def optional(self, shapes: dict[str, Any], above: str = "") -> Iterator[str]:
        """The paths of the keys that not every object has."""
        for name, shape in shapes.items():
            path = above + name
            if self._having[path] < self._objects[above]:
                yield path
            inner = shape
            while isinstance(inner, list):
                (inner,) = inner
            if isinstance(inner, dict) and not _is_text(shape):
                yield from self.optional(inner, f"{path}.")


def _texts(shapes: dict[str, Any], above: str = "") -> Iterator[str]:
    """The paths of the values of no one type, which are kept as text."""
    for name, shape in shapes.items():
        if _is_text(shape):
            yield above + name
        elif isinstance(shape, dict):
            yield from _texts(shape, f"{above}{name}.")


def _is_text(shape: Any) -> bool:
    """Whether values have no one type, or are objects of no keys; in a list no single one can be a text."""
    if isinstance(shape, list):
        (inner,) = shape
        return _is_text(inner) or (isinstance(inner, dict) and any(map(_is_text_within, inner.values())))
    return bool(shape == _MIXED or shape == {})


def _is_text_within(shape: Any) -> bool:
    return _is_text(shape) or (isinstance(shape, dict) and any(map(_is_text_within, shape.values())))


def _values(path: Path, structure: Structure, encoding: str) -> Iterator[Any]:
    """The values of a JSON file, those that are no JSON left out."""
    with path.open("rb") as stream:
        plain = opened_text(stream, codec=structure.codec, encoding=encoding)
        layout = structure.layout
        for line in documents(plain, _LONGEST, layout) if layout else long_lines(plain, _LONGEST):
            try:
                yield json.loads(line.text)
            except ValueError:
                continue


def _shape(value: Any) -> Any:
    """The type of a JSON value: a name, a list with the type of its elements, or a mapping of types."""
    match value:
        case None:
            return None
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "str"
        case list():
            inner = None
            for element in value:
                inner = _merged(inner, _shape(element))
            return [inner]
        case _:
            return {name: _shape(inner) for name, inner in value.items()}


def _merged(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: _merged(one.get(name), other.get(name)) for name in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(one[0], other[0])]
    if {one, other} == {"int", "float"} if isinstance(one, str) and isinstance(other, str) else False:
        return "float"
    return one if one == other else _MIXED


def _dtype(shape: Any) -> pl.DataType:
    if _is_text(shape):
        return pl.String()
    match shape:
        case "bool":
            return pl.Boolean()
        case "int":
            return pl.Int64()
        case "float":
            return pl.Float64()
        case [inner]:
            return pl.List(_dtype(inner))
        case dict():
            return pl.Struct({name: _dtype(inner) for name, inner in shape.items()})
        case _:
            return pl.String()
