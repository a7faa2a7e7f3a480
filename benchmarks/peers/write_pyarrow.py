"""The four tables with PyArrow: the CSV file read by all cores, converted column by column, written as datasets."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds

from benchmarks.clock import part
from benchmarks.peers.task import BLANKS, Column, Table, Task, given, raw_kinds

_TYPES = {
    **{"id": pa.int64(), "whole": pa.float64(), "number": pa.float64()},
    **{"cents": pa.decimal128(18, 2), "unrounded": pa.decimal128(18, 10)},
}


def _by_value(values: pa.ChunkedArray, read: Callable[[str], Any], to: pa.DataType) -> pa.ChunkedArray:
    """Read each distinct text once: months, terms and the like are few."""
    chunks = []
    for chunk in values.dictionary_encode().chunks:
        known = pa.array([None if text is None else read(text) for text in chunk.dictionary.to_pylist()], to)
        chunks.append(known.take(chunk.indices))
    return pa.chunked_array(chunks, to)


def _month(text: str) -> Any:
    return datetime.strptime(text, "%b-%Y").date()


def _years_employed(text: str) -> int | None:
    return 0 if text == "< 1 year" else None if text == "n/a" else int(text.split()[0].rstrip("+"))


def _read(column: Column, raw: pa.Table) -> pa.ChunkedArray:
    values = raw[column["raw"]]
    match column["kind"]:
        case "whole":
            return values.cast(pa.int64())
        case "trimmed":
            trimmed = pc.utf8_trim_whitespace(values)
            return pc.if_else(pc.equal(trimmed, ""), None, trimmed)
        case "month":
            return _by_value(values, _month, pa.date32())
        case "year":
            return _by_value(values, lambda text: int(text[-4:]), pa.int64())
        case "term":
            return _by_value(values, lambda text: int(text.split()[0]), pa.int64())
        case "years_employed":
            return _by_value(values, _years_employed, pa.int64())
        case "yes_no":
            return pc.equal(values, "y")
        case _:
            return values


def write(table: Table, columns: dict[str, pa.ChunkedArray], out: str) -> None:
    """Write a table as zstd Parquet, cut as it says."""
    cut = table["partition"]
    partitioning = None
    if cut:
        # The writer takes the column that it cuts by out of the files; the table's own stays.
        key = columns[cut["column"]]
        columns = {**columns, "__cut": pc.year(key) if cut["by_year"] else key}
        partitioning = ds.partitioning(pa.schema([("__cut", pa.int64())]), flavor="hive")
    parquet = ds.ParquetFileFormat()
    ds.write_dataset(
        pa.table(columns),
        f"{out}/{table['name']}",
        format=parquet,
        file_options=parquet.make_write_options(compression="zstd"),
        partitioning=partitioning,
    )


def main(task: Task) -> None:
    kinds = raw_kinds(task)
    raw = pyarrow.csv.read_csv(
        task["csv"],
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={name: _TYPES.get(kind, pa.string()) for name, kind in kinds.items()},
            include_columns=list(kinds),
            null_values=BLANKS,
            strings_can_be_null=True,
        ),
    )
    for table in task["tables"]:
        write(table, {column["name"]: _read(column, raw) for column in table["columns"]}, task["out"])


if __name__ == "__main__":
    with part("write"):
        main(given())
