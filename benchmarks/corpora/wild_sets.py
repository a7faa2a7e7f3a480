"""Sets of files as they lie in a folder, each declared from its draft, published, and checked against plain Python.

Only descriptions and units are added to a draft. The independent reader knows of a declaration how a file is written,
and nothing of how the lake reads: it is Python's csv and json, openpyxl, and PyArrow.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pyarrow.parquet as pq

from nequi_lake import Lake
from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.spec import Dataset
from nequi_lake.datasets.trial import TODO
from nequi_lake.drafting.draft import draft
from nequi_lake.formats import RECORD, CsvFile, ParquetFile, RawFile, WorkbookFile
from nequi_lake.formats.codecs import codec_of, opened_text
from nequi_lake.lake.declared import declarations
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.fetch import fetch_and_keep
from nequi_lake.pipeline.tables import publish_tables
from nequi_lake.sources import Sources

Record = Mapping[str, Any]
_EPOCHS = {"epoch s": 10**6, "epoch ms": 10**3, "epoch us": 1}
_FIRST = datetime(1970, 1, 1)


@dataclass(frozen=True)
class WildSet:
    """What came of a set.

    Attributes:
        name: of its folder.
        lines: of the declaration.
        columns: of all its tables.
        seconds: from its files to the published tables.
        todos: descriptions and units that were added.
        rows: of all its tables.
        differences: column → what the lake has and what the independent reader has; none where all is equal.
    """

    name: str
    lines: int
    columns: int
    seconds: float
    todos: int
    rows: int
    differences: Mapping[str, str]


def try_set(folder: Path) -> WildSet:
    """Draft, publish and compare a set of files.

    Args:
        folder: its files; its name is the dataset's.

    Raises:
        NequiLakeError: it cannot be drafted, or published.
    """
    name, started = folder.name, time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        text = draft(name, sorted(path for path in folder.rglob("*") if path.is_file()), {})
        modules = Path(scratch, "datasets")
        modules.mkdir()
        (modules / f"{name}.py").write_text(text.replace(TODO, "words"))
        at = {"NEQUI_LAKE_DATASETS": str(modules), "NEQUI_LAKE_SOURCE_LINKS": "follow"}
        settings = Settings.from_env(
            {**at, "NEQUI_LAKE_URI": f"{scratch}/lake", "NEQUI_LAKE_SOURCE": str(folder.parent.resolve())}
        )
        found = declarations(settings)
        if name in found.broken:
            raise found.broken[name]
        dataset = found.datasets[name]
        lake = Lake(settings, {name: dataset})
        fetch_and_keep(lake, dataset, Sources(settings).of(dataset))
        publish_tables(lake, dataset, "wild")
        seconds = time.monotonic() - started
        frames = {table.name: lake.table(f"{name}.{table.name}").to_polars() for table in dataset.tables}
        return WildSet(
            name=name,
            lines=text.count("\n"),
            columns=sum(len(table.columns) for table in dataset.tables),
            seconds=seconds,
            todos=text.count(TODO),
            rows=sum(frame.height for frame in frames.values()),
            differences=dict(_differences(dataset, frames, folder)),
        )


def _differences(dataset: Dataset, frames: Mapping[str, pl.DataFrame], folder: Path) -> Iterator[tuple[str, str]]:
    files = {file.name: file for file in dataset.files}
    for table in dataset.tables:
        records = [record for name in table.files for record in read_plainly(files[name], next(folder.rglob(name)))]
        frame = frames[table.name]
        if frame.height != len(records):
            yield table.name, f"{frame.height:,} rows, and {len(records):,} records"
        for column in table.columns.values():
            if column.source == RECORD:
                continue
            of_lake = _count_and_sum(frame[column.name].to_list())
            plain = _count_and_sum([_value(column, _raw(record, str(column.source))) for record in records])
            if of_lake != plain:
                yield f"{table.name}.{column.name}", f"{of_lake}, and {plain}"


def _raw(record: Record, source: str) -> Any:
    """The value of a raw column; of a nested one, whose keys are dotted, too."""
    if source in record:
        return record[source]
    outer, _, inner = source.partition(".")
    return _raw(record[outer], inner) if inner and record.get(outer) is not None else None


def _count_and_sum(values: Sequence[Any]) -> tuple[int, Any]:
    """How many values there are, and their exact sum: of texts and lists that of their lengths, of times in µs."""
    filled = [value for value in values if value is not None]
    return len(filled), sum(map(_measure, filled))


def _measure(value: Any) -> Any:
    match value:
        case datetime():
            return (value.replace(tzinfo=None) - _FIRST) // (datetime.resolution)
        case date():
            return value.toordinal()
        case str() | list():
            return len(value)
        case _:
            return Fraction(value)


def _value(column: Column, raw: Any) -> Any:
    """A raw value as one of the column's type, by Python's own parsers."""
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None
    written = column.format
    match column.dtype:
        case pl.Boolean():
            return raw if isinstance(raw, bool) else raw.lower() in (written or "true/false").split("/")[0].split(",")
        case pl.Date():
            if isinstance(raw, datetime):
                return raw.date()
            return datetime.strptime(raw, (written or "%Y-%m-%d").replace("-d", "d").replace("-m", "m")).date()
        case pl.Datetime():
            if isinstance(raw, datetime):
                return raw
            if written in _EPOCHS:
                return datetime.fromtimestamp(0, UTC) + int(raw) * _EPOCHS[written] * datetime.resolution
            return datetime.strptime(raw, written) if written else datetime.fromisoformat(raw)
        case dtype if dtype.is_numeric():
            if not isinstance(raw, str):
                return Decimal(str(raw)) if isinstance(dtype, pl.Decimal) else raw
            text = raw.translate(str.maketrans(",", ".", ".$€% ")) if written in ("1.234,56", "1234,56") else raw
            number = Decimal(text.translate(str.maketrans("", "", ",$€% ")))
            return float(number) if dtype.is_float() else number
        case pl.String():
            return raw if isinstance(raw, str) else str(raw)
        case _:
            return raw


def read_plainly(file: RawFile, path: Path) -> Iterator[Record]:
    """The records of a file, raw column → value, without anything of the lake but how the file is declared."""
    match file:
        case ParquetFile():
            yield from pq.read_table(path).to_pylist()
        case WorkbookFile():
            yield from _of_workbook(file, path)
        case CsvFile():
            with _text(path, file.encoding) as text:
                yield from _of_csv(file, text)
        case _:
            with _text(path, "utf-8") as text:
                said = text.read()
            values = json.loads(said) if said.lstrip().startswith("[") else map(json.loads, said.splitlines())
            yield from values


def _of_csv(file: CsvFile, text: Any) -> Iterator[Record]:
    quoting = {"quotechar": file.quote} if file.quote else {"quoting": csv.QUOTE_NONE}
    for _ in range(file.skip_lines):
        next(text)
    rows = [row for row in csv.reader(text, delimiter=file.separator, strict=True, **quoting) if row]
    names = rows[0] if file.header_lines else list(file.columns)
    below = rows[file.header_lines : len(rows) - file.footer_lines]
    yield from (dict(zip(names, row, strict=True)) for row in below)


def _of_workbook(file: WorkbookFile, path: Path) -> Iterator[Record]:
    book = openpyxl.load_workbook(path, data_only=True)
    sheet = book[str(file.sheet)]
    rows = list(sheet.iter_rows(min_row=file.skip + 1, values_only=True))
    while rows and not any(value is not None for value in rows[-1]):
        rows.pop()
    for row in rows[1 : len(rows) - file.footer]:
        yield dict(zip(rows[0], row, strict=True))


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    with path.open("rb") as stream:
        codec = codec_of(stream.read(16))
        stream.seek(0)
        with (
            opened_text(stream, codec=codec) if codec else stream as plain,
            io.TextIOWrapper(plain, encoding=encoding, newline="") as text,
        ):
            yield text
