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
from nequi_lake.formats.nested import NestedFile

_UNITS = {pl.String: "text", pl.Date: "date", pl.Datetime: "time", pl.Boolean: "true or false"}
_RECORD_KEY = "record_number"
_LONGEST_SHOWN = 60
_WIDTH = 120
_DEEP = 8
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
    words = {"Dataset", "Table", "column_meta as meta", *(type(sniffed.file).__name__ for sniffed in files)}
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
    shared = _shared(found)
    yield from ("", "")
    for name, value in shared.values():
        yield from (*_wrapped(f"{name} = ", value, 4), "")
    yield from ("DATASET = Dataset(", f'    name="{found.name}", use_case="{TODO}",')
    if found.slug:
        yield f'    slug={_literal(found.slug)}, source="kaggle",'
    yield from _tuple("files", [list(_file(each, shared)) for each in files])
    yield from (*_tuple("tables", [list(_table(table, found)) for table in found.tables]), ")")


def _tuple(name: str, items: Sequence[Sequence[str]]) -> Iterator[str]:
    """A tuple of calls, in which a single call of one line stands on the same one."""
    if len(items) == len(items[0]) == 1 and len(line := f"    {name}=({items[0][0].strip()}),") <= _WIDTH:
        yield line
        return
    yield from (f"    {name}=(", *(line for item in items for line in item), "    ),")


def _table(table: Records, found: Found) -> Iterator[str]:
    names = tuple(sniffed.file.name for sniffed in found.files[table.table])
    said = {"name": table.table, "description": TODO, "contract": _Name(_class(table)), "files": names}
    return _call("Table", said, 8)


def _class(table: Records) -> str:
    name = "".join(part.capitalize() for part in table.table.split("_"))
    return f"{name}Records" if keyword.iskeyword(name) or name in _IMPORTED else name


def _contract(table: Records, found: Found) -> Iterator[str]:
    names = ", ".join(sniffed.file.name for sniffed in found.files[table.table])
    yield f"class {_class(table)}(dy.Schema):"
    yield f'    """One row per record of {_in_a_line(names)}."""'
    if not table.key:
        yield "    # No column, and no two of them, tell the records apart."
        facts = 'primary_key=True, description="Number of the record in its file, from 0."'
        yield from _fitted(f"    {_RECORD_KEY} = dy.Int64", [facts, 'metadata=meta(unit="id", source=RECORD)'])
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
        facts += _fitted_in_call("check=one_of", [_literal(value) for value in column.values])
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
    facts = [*([arguments] if arguments else []), *facts, *_fitted_in_call("metadata=meta", meta)]
    yield from _fitted(f"    {name} = {kind}", facts)


def _fitted_in_call(name: str, arguments: Sequence[str]) -> Sequence[str]:
    """A call within another one, on a line of its own or, where it is too long for that, on several."""
    line = f"{name}({', '.join(arguments)})"
    if len(line) + _DEEP < _WIDTH:
        return [line]
    inner = "\n".join(_packed([f"{argument}," for argument in arguments], " " * (_DEEP + 4)))
    return [f"{name}(\n{inner}\n{' ' * _DEEP})"]


def _fitted(name: str, arguments: Sequence[str], end: str = "") -> Iterator[str]:
    """A call: on one line, or with all arguments on a line of their own, or with a line for each."""
    space = " " * (len(name) - len(name.lstrip()))
    inner = ", ".join(arguments)
    if "\n" not in inner and len(line := f"{name}({inner}){end}") <= _WIDTH:
        yield line
    elif "\n" not in inner and len(line := f"{space}    {inner}") <= _WIDTH:
        yield from (f"{name}(", line, f"{space}){end}")
    else:
        yield f"{name}("
        yield from _packed([f"{argument}," for argument in arguments], f"{space}    ")
        yield f"{space}){end}"


def _packed(items: Sequence[str], space: str) -> Iterator[str]:
    """Items one after the other, as many on a line as fit; one of several lines has them for itself."""
    line = ""
    for item in items:
        if line and ("\n" in item or len(space) + len(line) + 1 + len(item) > _WIDTH):
            yield f"{space}{line}"
            line = ""
        if "\n" in item:
            yield from f"{space}{item}".split("\n")
        else:
            line = f"{line} {item}".strip()
    if line:
        yield f"{space}{line}"


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


def _shared(found: Found) -> dict[str, tuple[str, object]]:
    """Columns that several files of a table have alike, as they are written → their name in the module, and they."""
    shared = dict[str, tuple[str, object]]()
    for table in found.tables:
        files = [sniffed.file for sniffed in found.files[table.table]]
        for _, value in files[0].declared() if len(files) > 1 else ():
            if isinstance(value, (tuple, Mapping)) and len(text := _literal(value)) > _LONGEST_SHOWN:
                shared[text] = f"{table.table.upper()}_COLUMNS", value
    return shared


def _file(sniffed: Sniffed, shared: Mapping[str, tuple[str, object]]) -> Iterator[str]:
    yield from (f"        # {_in_a_line(note)}" for note in sniffed.notes)
    said = {
        key: _Name(shared[text][0]) if (text := _literal(value)) in shared else value
        for key, value in sniffed.file.declared()
    }
    yield from _call(type(sniffed.file).__name__, said, 8)


class _Name(str):
    """A word of the module, and no text."""

    __slots__ = ()


def _call(name: str, arguments: Mapping[str, object], indent: int) -> Iterator[str]:
    """A call with these arguments as an element of a tuple."""
    texts = [
        text
        if len(text := f"{key}={_literal(value)}") + indent + 5 <= _WIDTH
        else "\n".join(_wrapped(f"{key}=", value, indent + 8))
        for key, value in arguments.items()
    ]
    return _fitted(f"{' ' * indent}{name}", texts, ",")


def _wrapped(before: str, value: object, indent: int) -> Iterator[str]:
    """A long tuple or mapping on several lines; anything else on one."""
    match value:
        case tuple():
            opening, items, closing = "(", [f"{_literal(item)}," for item in value], ")"
        case Mapping():
            opening, closing = "{", "}"
            items = [f"{_literal(key)}: {_literal(of)}," for key, of in value.items()]
        case _:
            yield f"{before}{_literal(value)}"
            return
    yield f"{before}{opening}"
    yield from _packed(items, " " * indent)
    yield f"{' ' * (indent - 4)}{closing}"


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
            return f'pl.Datetime("{dtype.time_unit}"{", " + _literal(dtype.time_zone) if dtype.time_zone else ""})'
        case pl.Decimal():
            return f"pl.Decimal({dtype.precision}, {dtype.scale})"
        case _:
            return f"pl.{dtype}"
