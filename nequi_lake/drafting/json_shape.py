"""The keys of JSON objects and the types of their values, from all objects of a file."""

from __future__ import annotations

import json
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


def json_file(path: Path, encoding: str) -> Sniffed:
    """The file with the types of the values of all its objects.

    Raises:
        UsageError: it has no objects.
    """
    found: dict[str, Any] = {}
    structure = JsonLinesFile(name=path.name, description="x", schema={"x": pl.Int64}, encoding=encoding).inspect(path)
    with bar(f"types of {path.name}", structure.records, "rows") as progress:
        for value in _values(path, structure, encoding):
            progress.update(1)
            if isinstance(value, dict):
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
        )
    )


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
    return one if one == other else "str"


def _dtype(shape: Any) -> pl.DataType:
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
