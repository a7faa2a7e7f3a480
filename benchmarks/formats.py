"""The same records as a raw file of each format, and how that is declared."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import dataframely as dy
import polars as pl
import pyarrow as pa
import xlsxwriter

from nequi_lake import CsvFile, Dataset, JsonLinesFile, ParquetFile, Table, WorkbookFile, column_meta
from nequi_lake.formats import RawFile

NAME = "records"
_TOWNS = ("Bogotá", "Medellín", "San Andrés, Providencia", 'La "Heroica"', "Cali", "Neiva", "Pasto")
_SHEET = "Records"


class Records(dy.Schema):
    """One row per record."""

    id = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="id"))
    town = dy.String(description="Town.", metadata=column_meta(unit="text", source="town"))
    day = dy.Date(description="Day.", metadata=column_meta(unit="date", source="day"))
    weight = dy.Float64(description="Weight.", metadata=column_meta(unit="kg", source="weight"))
    rate = dy.Float64(description="Rate.", metadata=column_meta(unit="share", source="rate"))


COLUMNS = tuple(Records.column_names())
_TYPED = {"id": pl.Int64, "town": pl.String, "day": pl.Date, "weight": pl.Float64, "rate": pl.Float64}
_JSON = {**_TYPED, "day": pl.String}


@dataclass(frozen=True)
class Format:
    """A way to write the records.

    Attributes:
        file: how it is declared.
        written: the bytes of the file with these records.
    """

    file: RawFile
    written: Callable[[pl.DataFrame], bytes]

    @property
    def options(self) -> str:
        """How it is declared, for a person."""
        usual = ("name", "description", "columns", "schema")
        said = ", ".join(f"{name}={value!r}" for name, value in self.file.declared() if name not in usual)
        return f"`{type(self.file).__name__}({said})`."


def _csv(name: str = "records.csv", **how: str | None) -> CsvFile:
    return CsvFile(name=name, description="Records.", columns=COLUMNS, **how)  # type: ignore[arg-type]


def _json() -> JsonLinesFile:
    return JsonLinesFile(name="records.json", description="Records.", schema=_JSON)


def _plain(frame: pl.DataFrame) -> bytes:
    return frame.write_csv().encode()


def _zip(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("records.csv", _plain(frame))
    return content.getvalue()


def _zstd(frame: pl.DataFrame) -> bytes:
    return bytes(pa.Codec("zstd").compress(_plain(frame), asbytes=True))


def _two_signs(frame: pl.DataFrame) -> bytes:
    lines = ("||".join(map(str, row)) for row in frame.iter_rows())
    return "\n".join(("||".join(COLUMNS), *lines, "")).encode()


def _lines(frame: pl.DataFrame) -> bytes:
    return frame.with_columns(pl.col("day").cast(pl.String)).write_ndjson().encode()


def _documents(frame: pl.DataFrame) -> bytes:
    return b"".join(json.dumps(json.loads(line), indent=2).encode() + b"\n" for line in _lines(frame).splitlines())


def _parquet(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


def _workbook(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"constant_memory": True, "default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet(_SHEET)
    for number, row in enumerate((COLUMNS, *frame.iter_rows())):
        sheet.write_row(number, 0, row)
    book.close()
    return content.getvalue()


FORMATS: Mapping[str, Format] = {
    "plain CSV": Format(_csv(), _plain),
    "CSV in gzip": Format(_csv(), lambda frame: gzip.compress(_plain(frame))),
    "CSV in zstd": Format(_csv(), _zstd),
    "CSV in bz2": Format(_csv(), lambda frame: bz2.compress(_plain(frame))),
    "CSV in zip": Format(_csv(), _zip),
    "CSV with semicolons": Format(_csv(separator=";"), lambda frame: frame.write_csv(separator=";").encode()),
    "CSV with apostrophes as quotes": Format(
        _csv(quote="'"), lambda frame: frame.write_csv(quote_char="'", quote_style="always").encode()
    ),
    "CSV with two bars, unquoted": Format(_csv(separator="||", quote=None), _two_signs),
    "CSV in UTF-16": Format(_csv(encoding="utf-16"), lambda frame: frame.write_csv().encode("utf-16")),
    "JSON lines": Format(_json(), _lines),
    "JSON array": Format(_json(), lambda frame: b"[" + b",\n".join(_lines(frame).splitlines()) + b"]"),
    "JSON documents over several lines": Format(_json(), _documents),
    "Parquet": Format(ParquetFile(name="records.parquet", description="Records.", schema=_TYPED), _parquet),
    "XLSX": Format(WorkbookFile(name="records.xlsx", description="Records.", columns=COLUMNS, sheet=_SHEET), _workbook),
}
"""By name; the first is what the others are compared with."""


def dataset(name: str) -> Dataset:
    """The dataset of a format's file."""
    file = FORMATS[name].file
    return Dataset(
        name=NAME,
        files=(file,),
        tables=(Table(name=NAME, description="Records.", contract=Records, files=(file.name,)),),
    )


def frame_of(rows: int) -> pl.DataFrame:
    """So many records."""
    number = pl.int_range(rows, dtype=pl.Int64)
    return pl.select(
        id=number,
        town=number.mod(len(_TOWNS)).replace_strict(dict(enumerate(_TOWNS)), return_dtype=pl.String),
        day=pl.date(2020, 1, 1) + pl.duration(days=number.mod(1500)),
        weight=number.mod(99_991) / 100,
        rate=(number * 7919).mod(10_007) / 10_007,
    )


def write(name: str, rows: int, folder: Path) -> None:
    """Write the file of a format where a folder source has it."""
    (folder / NAME).mkdir(parents=True)
    (folder / NAME / FORMATS[name].file.name).write_bytes(FORMATS[name].written(frame_of(rows)))
