"""Drafts the declaration of a dataset from its files, as the text of a module."""

from __future__ import annotations

import json
import keyword
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
from polars._typing import PolarsDataType

from nequi_lake.datasets.trial import TODO
from nequi_lake.drafting.columns import Drafted, draft_column
from nequi_lake.drafting.relations import Records, find_key, find_references, in_order
from nequi_lake.drafting.sniff import Sniffed, sniff
from nequi_lake.errors import UsageError
from nequi_lake.formats import CsvFile, RawFile
from nequi_lake.formats.local import read_local

_UNITS = {pl.String: "text", pl.Date: "date", pl.Datetime: "time", pl.Boolean: "true or false"}
_RECORD_KEY = "record_number"
_RESERVED = frozenset({"record"})


def draft(name: str, paths: Iterable[Path], descriptions: Mapping[str, str]) -> str:
    """The text of a module that declares a dataset of these files.

    Args:
        name: of the dataset.
        paths: the files; each becomes a table.
        descriptions: raw column → what it means, as far as that is known.

    Raises:
        UsageError: a file is of no format that can be drafted, or has no records.
    """
    found = {path: sniff(path) for path in paths}
    tables = [_records(path, sniffed.file) for path, sniffed in found.items()]
    references = find_references(tables)
    by_table = dict(zip((table.table for table in tables), found.values(), strict=True))
    return "\n".join(_module(name, in_order(tables, references), references, by_table, descriptions)) + "\n"


def _records(path: Path, file: RawFile) -> Records:
    with tempfile.TemporaryDirectory() as folder:
        read = read_local(file, path, Path(folder))
    if read.frame is None:
        raise UsageError(f"No declaration can be drafted: {read.structure.problems[0]}.", where=str(path))
    frame = read.frame.select(file.raw_value(column).alias(column) for column in file.field_paths)
    names = names_for(file.field_paths)
    columns = {names[source]: draft_column(source, frame[source]) for source in file.field_paths}
    table = names_for([path.name.split(".")[0]])[path.name.split(".")[0]]
    return Records(table, frame, columns, find_key(frame, columns))


def names_for(sources: Sequence[str]) -> dict[str, str]:
    """Raw column → its name in the contract: lower case letters, digits and _, each once."""
    found: dict[str, str] = {}
    for source in sources:
        plain = unicodedata.normalize("NFKD", re.sub("([a-z0-9])([A-Z])", r"\1_\2", source))
        name = re.sub("[^a-z0-9]+", "_", plain.encode("ascii", "ignore").decode().lower()).strip("_")
        name = name if re.match("[a-z]", name) else f"c_{name}".rstrip("_")
        name = f"{name}_" if keyword.iskeyword(name) else name[:60]
        base, number = name, 2
        while name in found.values() or name in _RESERVED:
            name, number = f"{base}_{number}", number + 1
        found[source] = name
    return found


def _module(
    name: str,
    tables: Sequence[Records],
    references: Mapping[tuple[str, str], str],
    sniffed: Mapping[str, Sniffed],
    descriptions: Mapping[str, str],
) -> Iterator[str]:
    words = {"Dataset", "Table", "column_meta", *(type(found.file).__name__ for found in sniffed.values())}
    has_json = any(not isinstance(found.file, CsvFile) for found in sniffed.values())
    if any(column.values for table in tables for column in table.columns.values()):
        words.add("one_of")
    if any(not table.key for table in tables):
        words.add("RECORD")
    yield f'"""{TODO}: what {name} is, and what it is used for."""'
    yield ""
    yield "import dataframely as dy"
    if has_json:
        yield "import polars as pl"
    yield ""
    yield f"from nequi_lake import {', '.join(sorted(words))}"
    for table in tables:
        yield from ("", "", *_contract(table, references, sniffed[table.table].file, descriptions))
    yield from ("", "", "DATASET = Dataset(", f'    name="{name}",', f'    use_case="{TODO}",', "    files=(")
    for table in tables:
        found = sniffed[table.table]
        yield from (f"        # {note}" for note in found.notes)
        yield from _file(found.file)
    yield from ("    ),", "    tables=(")
    for table in tables:
        yield "        Table("
        yield f'            name="{table.table}",'
        yield f'            description="{TODO}",'
        yield f"            contract={_class(table)},"
        yield f"            files=({_literal(sniffed[table.table].file.name)},),"
        yield "        ),"
    yield from ("    ),", ")")


def _class(table: Records) -> str:
    return "".join(part.capitalize() for part in table.table.split("_"))


def _contract(
    table: Records, references: Mapping[tuple[str, str], str], file: RawFile, descriptions: Mapping[str, str]
) -> Iterator[str]:
    yield f"class {_class(table)}(dy.Schema):"
    yield f'    """One row per record of {file.name}."""'
    yield ""
    if not table.key:
        yield "    # No column, and no two of them, tell the records apart."
        yield f"    {_RECORD_KEY} = dy.Int64("
        yield '        primary_key=True, description="Number of the record in its file, from 0.",'
        yield '        metadata=column_meta(unit="id", source=RECORD),'
        yield "    )"
    for name, column in table.columns.items():
        yield from _column(name, column, name in table.key, references.get((table.table, name)), descriptions)


def _column(
    name: str, column: Drafted, is_key: bool, parent: str | None, descriptions: Mapping[str, str]
) -> Iterator[str]:
    if column.note:
        yield f"    # {column.note}"
    if column.unread[0]:
        yield f"    # {column.unread[0]:,} values cannot be read so, such as {', '.join(map(repr, column.unread[1]))}"
    facts = []
    if is_key:
        facts.append("primary_key=True")
    elif column.missing:
        facts.append("nullable=True")
    if column.is_negative is False:
        facts.append("min=0")
    if column.values:
        facts.append(f"check=one_of({', '.join(map(_literal, column.values))})")
    facts.append(f"description={_literal(descriptions.get(column.source, TODO))}")
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
    yield f"    {name} = {kind}("
    yield f"        {', '.join([*([arguments] if arguments else []), *facts])},"
    yield f"        metadata=column_meta({', '.join(meta)}),"
    yield "    )"


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
            return f"dy.List({_declared(_instance(dtype.inner))})"
        case pl.Struct():
            inner = ", ".join(f"{_literal(name)}: {_declared(_instance(of))}" for name, of in dtype.to_schema().items())
            return f"dy.Struct({{{inner}}})"
        case _:
            return f"dy.{dtype}()"


def _instance(dtype: PolarsDataType) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype


def _file(file: RawFile) -> Iterator[str]:
    yield f"        {type(file).__name__}("
    for name, value in file.declared():
        yield f"            {name}={_literal(value)},"
    yield "        ),"


def _literal(value: object) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_literal(key)}: {_polars(of)}" for key, of in value.items())
        return f"{{{inner}}}"
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
