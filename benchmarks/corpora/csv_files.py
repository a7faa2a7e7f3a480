"""Folders in the layout of Pollock: ``csv/``, ``clean/`` and ``parameters/``, one file of a name in each."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from benchmarks.corpora.outcome import Read, Row
from nequi_lake.drafting.sniff import sniff
from nequi_lake.errors import NequiLakeError
from nequi_lake.formats import CsvFile
from nequi_lake.formats.local import read_local

csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class Case:
    """A file of the corpus.

    Attributes:
        path: the file.
        kind: its fault: its name without the places of it.
        clean: the records that it should give.
        header: the names of its columns.
        parameters: how it is written.
    """

    path: Path
    kind: str
    clean: list[Row]
    header: tuple[str, ...]
    parameters: Mapping[str, Any]


def cases(folder: Path) -> Iterator[Case]:
    """The files of the corpus that have a clean version."""
    default = folder / "parameters" / "source.csv_parameters.json"
    for path in sorted((folder / "csv").iterdir()):
        clean = folder / "clean" / path.name
        if not clean.exists():
            continue
        own = folder / "parameters" / f"{path.name}_parameters.json"
        parameters = json.loads((own if own.exists() else default).read_text())
        with clean.open(newline="", encoding="utf-8", errors="replace") as stream:
            rows = [tuple(value or None for value in row) for row in csv.reader(stream)]
        header = tuple(parameters["column_names"]) or tuple(f"column {n}" for n in range(len(rows[0]) if rows else 1))
        has_header = bool(parameters["header_lines"])
        kind = re.sub(r"_(?:row|col)?\d+(?:x[0-9A-F]+)?(?=_|$)|(?<=multitable)_\w+$", "", path.stem)
        yield Case(path, kind, rows[1:] if has_header else rows, header, parameters)


def declared(case: Case) -> CsvFile:
    """The file as its parameters say that it is written."""
    said = case.parameters
    quote = said["quotechar"] or '"'
    escape = said["escapechar"] or None
    return CsvFile(
        name=case.path.name,
        description="A file of the corpus.",
        columns=case.header,
        separator=said["delimiter"] or ",",
        quote=quote,
        escape=None if escape == quote else escape,
        skip_lines=said["preamble_lines"],
        header_lines=said["header_lines"],
        footer_lines=said["footnote_lines"],
        encoding=said.get("encoding") or "utf-8",
        null_tokens=("",),
    )


def by_lake(case: Case, *, drafted: bool = False) -> Read:
    """Read it as the lake does; what it is refused for is the reason of the structure pass."""
    try:
        file = sniff(case.path).file if drafted else declared(case)
    except NequiLakeError as error:
        return Read(refused=error.what)
    with tempfile.TemporaryDirectory() as folder:
        read = read_local(file, case.path, Path(folder))
    if read.frame is None:
        return Read(refused=re.sub(r"\d[\d,]*|'.*'", "…", read.structure.problems[0].reason))
    rows = [tuple(row[1:]) for row in read.frame.rows()]
    return Read(rows, named=read.structure.damaged, header=tuple(file.raw_schema))


def _texts(rows: Any) -> list[Row]:
    return [tuple(None if value is None or value != value else str(value) for value in row) for row in rows]


def by_duckdb(case: Case) -> Read:
    """DuckDB, strict, with the rejected lines counted."""
    said = case.parameters
    con = duckdb.connect()
    columns = dict.fromkeys(_unique(case.header), "VARCHAR")
    found = con.execute(
        "SELECT * FROM read_csv(?, columns=?, header=?, delim=?, quote=?, escape=?, skip=?, store_rejects=true, "
        "auto_detect=false)",
        [
            str(case.path),
            columns,
            bool(said["header_lines"]),
            said["delimiter"] or ",",
            said["quotechar"] or '"',
            said["escapechar"] or said["quotechar"] or '"',
            said["preamble_lines"] + max(0, said["header_lines"] - 1),
        ],
    ).fetchall()
    rejected = con.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchone()
    return Read(_texts(found), named=rejected[0] if rejected else 0, header=case.header)


def by_polars(case: Case) -> Read:
    """Polars."""
    said = case.parameters
    frame = pl.read_csv(
        case.path,
        schema=dict.fromkeys(_unique(case.header), pl.String),
        has_header=bool(said["header_lines"]),
        separator=said["delimiter"] or ",",
        quote_char=said["quotechar"] or '"',
        skip_rows=said["preamble_lines"] + max(0, said["header_lines"] - 1),
    )
    return Read(_texts(frame.rows()), header=case.header)


def by_pandas(case: Case) -> Read:
    """pandas."""
    said = case.parameters
    frame = pd.read_csv(
        case.path,
        dtype=str,
        keep_default_na=False,
        names=_unique(case.header),
        sep=said["delimiter"] or ",",
        quotechar=said["quotechar"] or '"',
        escapechar=None if said["escapechar"] in ("", said["quotechar"]) else said["escapechar"],
        skiprows=said["preamble_lines"] + said["header_lines"],
        engine="python" if len(said["delimiter"]) > 1 else "c",
        index_col=False,
    )
    return Read(_texts(frame.itertuples(index=False)), header=case.header)


def by_pyarrow(case: Case) -> Read:
    """PyArrow, with a handler that counts the rows that it leaves out."""
    said = case.parameters
    left_out = 0

    def skip(_row: object) -> str:
        nonlocal left_out
        left_out += 1
        return "skip"

    names = _unique(case.header)
    table = pa_csv.read_csv(
        case.path,
        read_options=pa_csv.ReadOptions(column_names=names, skip_rows=said["preamble_lines"] + said["header_lines"]),
        parse_options=pa_csv.ParseOptions(
            delimiter=said["delimiter"] or ",",
            quote_char=said["quotechar"] or '"',
            escape_char=False if said["escapechar"] in ("", said["quotechar"]) else said["escapechar"],
            newlines_in_values=True,
            invalid_row_handler=skip,
        ),
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return Read(
        _texts(zip(*(column.to_pylist() for column in table.columns), strict=True)), left_out, header=case.header
    )


def _unique(names: tuple[str, ...]) -> list[str]:
    return [name if names.count(name) == 1 and name else f"{name} {number}" for number, name in enumerate(names)]


PEERS: Mapping[str, Callable[[Case], Read]] = {
    "DuckDB": by_duckdb,
    "Polars": by_polars,
    "pandas": by_pandas,
    "PyArrow": by_pyarrow,
}
