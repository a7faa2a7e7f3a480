"""The four tables with Polars: one streaming scan with a given schema, four sinks."""

import polars as pl

from benchmarks.clock import part
from benchmarks.peers.task import BLANKS, Column, Table, Task, given, raw_kinds

_TYPES: dict[str, pl.DataType] = {
    **{"id": pl.Int64(), "whole": pl.Float64(), "number": pl.Float64()},
    **{"cents": pl.Decimal(18, 2), "unrounded": pl.Decimal(18, 10)},
}


def _read(column: Column) -> pl.Expr:
    value = pl.col(column["raw"])
    match column["kind"]:
        case "whole":
            value = value.cast(pl.Int64)
        case "trimmed":
            value = value.str.strip_chars()
            value = pl.when(value != "").then(value)
        case "month" | "year":
            value = ("01-" + value).str.to_date("%d-%b-%Y")
            value = value.dt.year().cast(pl.Int64) if column["kind"] == "year" else value
        case "term":
            value = value.str.strip_chars().str.strip_suffix(" months").cast(pl.Int64)
        case "years_employed":
            years = value.str.extract(r"^(\d+)").cast(pl.Int64)
            value = pl.when(value == "< 1 year").then(0).otherwise(years)
        case "yes_no":
            value = value == "y"
    return value.alias(column["name"])


def _sink(table: Table, records: pl.LazyFrame, out: str) -> pl.LazyFrame:
    rows = records.select(_read(column) for column in table["columns"])
    cut, folder = table["partition"], f"{out}/{table['name']}"
    target: str | pl.PartitionBy = f"{folder}/0.parquet"
    if cut:
        key = pl.col(cut["column"])
        key = key.dt.year().alias(cut["name"]) if cut["by_year"] else key
        target = pl.PartitionBy(folder, key=key, include_key=not cut["by_year"])
    return rows.sink_parquet(target, compression="zstd", mkdir=True, lazy=True)


def main(task: Task) -> None:
    kinds = raw_kinds(task)
    schema = {raw: _TYPES.get(kinds.get(raw, "text"), pl.String()) for raw in task["header"]}
    records = pl.scan_csv(task["csv"], schema=schema, null_values=BLANKS)
    pl.collect_all([_sink(table, records, task["out"]) for table in task["tables"]], engine="streaming")


if __name__ == "__main__":
    with part("write"):
        main(given())
