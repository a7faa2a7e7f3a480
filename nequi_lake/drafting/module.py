"""The text of a module that declares a dataset, from what was found of its files."""

from __future__ import annotations

import json
import keyword
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl
from polars._typing import PolarsDataType

from nequi_lake.datasets.trial import TODO
from nequi_lake.drafting.columns import Drafted
from nequi_lake.drafting.relations import Records
from nequi_lake.drafting.sniffed import Sniffed
from nequi_lake.formats import RawFile
from nequi_lake.formats.nested import NestedFile

_UNITS = {pl.String: "text", pl.Date: "date", pl.Datetime: "time", pl.Boolean: "true or false"}
_RECORD_KEY = "record_number"
_LONGEST_SHOWN = 60
_WIDTH = 120
_IMPORTED = frozenset({"Dataset", "Table", "CsvFile", "JsonLinesFile", "ParquetFile", "WorkbookFile"})


@dataclass(frozen=True)
class Found:
    """What was found of a dataset.

    Attributes:
        name: of the dataset.
        slug: ``owner/name`` on Kaggle; empty where it is not there.
        tables: a parent before its children.
        references: (table, column) → the table whose key it holds.
        files: table → how its files are written.
        descriptions: raw column → what it means, as far as that is known.
    """

    name: str
    slug: str
    tables: Sequence[Records]
    references: Mapping[tuple[str, str], str]
    files: Mapping[str, Sequence[Sniffed]]
    descriptions: Mapping[str, str]


def module(found: Found) -> Iterator[str]:
    """The lines of the module."""
    files = [sniffed for table in found.tables for sniffed in found.files[table.table]]
    words = {"Dataset", "Table", "column_meta", *(type(sniffed.file).__name__ for sniffed in files)}
    if any(column.values for table in found.tables for column in table.columns.values()):
        words.add("one_of")
    if any(not table.key for table in found.tables):
        words.add("RECORD")
    yield f'"""{TODO}: what {found.name} is, and what it is used for."""'
    yield ""
    yield "import dataframely as dy"
    if any(isinstance(sniffed.file, NestedFile) for sniffed in files):
        yield "import polars as pl"
    yield ""
    yield f"from nequi_lake import {', '.join(sorted(words))}"
    for table in found.tables:
        yield from ("", "", *_contract(table, found))
    yield from ("", "", "DATASET = Dataset(", f'    name="{found.name}",')
    if found.slug:
        yield from (f"    slug={_literal(found.slug)},", '    source="kaggle",')
    yield from (f'    use_case="{TODO}",', "    files=(")
    for sniffed in files:
        yield from (f"        # {_in_a_line(note)}" for note in sniffed.notes)
        yield from _file(sniffed.file)
    yield from ("    ),", "    tables=(")
    for table in found.tables:
        names = tuple(sniffed.file.name for sniffed in found.files[table.table])
        said = {"name": table.table, "description": TODO, "contract": _Name(_class(table)), "files": names}
        yield from _call("Table", said, 8)
    yield from ("    ),", ")")


def _class(table: Records) -> str:
    name = "".join(part.capitalize() for part in table.table.split("_"))
    return f"{name}Records" if keyword.iskeyword(name) or name in _IMPORTED else name


def _contract(table: Records, found: Found) -> Iterator[str]:
    names = ", ".join(sniffed.file.name for sniffed in found.files[table.table])
    yield f"class {_class(table)}(dy.Schema):"
    yield f'    """One row per record of {_in_a_line(names)}."""'
    yield ""
    if not table.key:
        yield "    # No column, and no two of them, tell the records apart."
        yield f"    {_RECORD_KEY} = dy.Int64("
        yield '        primary_key=True, description="Number of the record in its file, from 0.",'
        yield '        metadata=column_meta(unit="id", source=RECORD),'
        yield "    )"
    for name, column in table.columns.items():
        parent = found.references.get((table.table, name))
        yield from _column(name, column, name in table.key, parent, found.descriptions)


def _column(
    name: str, column: Drafted, is_key: bool, parent: str | None, descriptions: Mapping[str, str]
) -> Iterator[str]:
    if column.note:
        yield f"    # {_in_a_line(column.note)}"
    if column.unread[0]:
        examples = ", ".join(map(_shown, column.unread[1]))
        yield f"    # {column.unread[0]:,} values cannot be read so, such as {examples}"
    facts = []
    if is_key:
        facts.append("primary_key=True")
    elif column.missing:
        facts.append("nullable=True")
    if column.is_negative is False:
        facts.append("min=0")
    if column.values:
        facts.append(f"check=one_of({', '.join(map(_literal, column.values))})")
    facts.append(f"description={_literal(descriptions.get(_in_a_line(column.source), TODO))}")
    unit = "id" if is_key or parent else _UNITS.get(type(column.dtype), TODO)
    meta = [f"unit={_literal(unit)}", f"source={_literal(column.source)}"]
    if column.null_limit is not None and not is_key:
        meta.append(f"null_limit={column.null_limit}")
    if parent:
        meta.append(f"references={_literal(parent)}")
    if column.format:
        meta.append(f"format={_literal(column.format)}")
    declared = _declared(column.dtype)
    kind, arguments = declared.partition("(")[0], declared.partition("(")[2].removesuffix(")")
    first = ", ".join([*([arguments] if arguments else []), *facts])
    last = f"metadata=column_meta({', '.join(meta)})"
    line = f"    {name} = {kind}({first}, {last})"
    yield from (
        [line] if len(line) <= _WIDTH else [f"    {name} = {kind}(", f"        {first},", f"        {last},", "    )"]
    )


def _declared(dtype: pl.DataType) -> str:
    """A column of this type, in the words of a contract."""
    match dtype:
        case pl.Boolean():
            return "dy.Bool()"
        case pl.Decimal():
            return f"dy.Decimal({dtype.precision}, {dtype.scale})"
        case pl.Datetime():
            return 'dy.Datetime(time_zone="UTC")' if dtype.time_zone else "dy.Datetime()"
        case pl.List():
            return f"dy.List({_within(dtype.inner)})"
        case pl.Struct():
            inner = ", ".join(f"{_literal(name)}: {_within(of)}" for name, of in dtype.to_schema().items())
            return f"dy.Struct({{{inner}}})"
        case _:
            return f"dy.{dtype}()"


def _within(dtype: PolarsDataType) -> str:
    """What a list or an object has: no demand on its values is drafted, so they may be missing."""
    declared = _declared(_instance(dtype)).removesuffix(")")
    return f"{declared}{'' if declared.endswith('(') else ', '}nullable=True)"


def _in_a_line(text: str) -> str:
    """A text that ends no line, comment or docstring."""
    return " ".join(text.split()).replace("\\", "/").replace('"', "'")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def _instance(dtype: PolarsDataType) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype


def _file(file: RawFile) -> Iterator[str]:
    return _call(type(file).__name__, dict(file.declared()), 8)


class _Name(str):
    """A word of the module, and no text."""

    __slots__ = ()


def _call(name: str, arguments: Mapping[str, object], indent: int) -> Iterator[str]:
    """A call with these arguments on a line, or, where it is too long, with a line for each."""
    space = " " * indent
    texts = [f"{key}={_literal(value)}" for key, value in arguments.items()]
    line = f"{space}{name}({', '.join(texts)}),"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"{space}{name}("
    for text, (key, value) in zip(texts, arguments.items(), strict=True):
        line = f"{space}    {text},"
        yield from [line] if len(line) <= _WIDTH else _wrapped(f"{space}    {key}=", value, indent + 8)
    yield f"{space}),"


def _wrapped(before: str, value: object, indent: int) -> Iterator[str]:
    """A long tuple or mapping on several lines; anything else on one."""
    match value:
        case tuple():
            opening, items, closing = "(", [f"{_literal(item)}," for item in value], ")"
        case Mapping():
            opening, closing = "{", "}"
            items = [f"{_literal(key)}: {_literal(of)}," for key, of in value.items()]
        case _:
            yield f"{before}{_literal(value)},"
            return
    yield f"{before}{opening}"
    line = " " * indent + items[0]
    for item in items[1:]:
        if len(line) + 1 + len(item) > _WIDTH:
            yield line
            line = " " * indent + item
        else:
            line = f"{line} {item}"
    yield line
    yield f"{' ' * (indent - 4)}{closing},"


def _literal(value: object) -> str:
    if isinstance(value, _Name):
        return str(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(of)}' for key, of in value.items())}}}"
    if isinstance(value, pl.DataType):
        return _polars(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _polars(dtype: object) -> str:
    match dtype:
        case pl.List():
            return f"pl.List({_polars(dtype.inner)})"
        case pl.Struct():
            inner = ", ".join(f"{_literal(name)}: {_polars(of)}" for name, of in dtype.to_schema().items())
            return f"pl.Struct({{{inner}}})"
        case pl.Datetime():
            return f"pl.Datetime({dtype.time_unit!r}, {dtype.time_zone!r})"
        case pl.Decimal():
            return f"pl.Decimal({dtype.precision}, {dtype.scale})"
        case _:
            return f"pl.{dtype}"
