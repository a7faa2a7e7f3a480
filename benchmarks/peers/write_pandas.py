"""The four tables with pandas, with its fastest reader and Arrow's types."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from benchmarks.clock import part
from benchmarks.peers.task import BLANKS, Column, Task, given, raw_kinds

_TYPES = {
    **{"id": pa.int64(), "whole": pa.float64(), "number": pa.float64()},
    **{"cents": pa.decimal128(18, 2), "unrounded": pa.decimal128(18, 10)},
}
_WHOLE, _DATE = pd.ArrowDtype(pa.int64()), pd.ArrowDtype(pa.date32())


def _by_value(values: pd.Series, known: pd.Series, dtype: pd.ArrowDtype) -> pd.Series:
    """Replace each text by what is known of it: months, terms and the like are few."""
    return values.map(known).astype(dtype)


def _read(column: Column, raw: pd.DataFrame) -> pd.Series:
    values = raw[column["raw"]]
    kind = column["kind"]
    if kind == "whole":
        return values.astype(_WHOLE)
    if kind == "trimmed":
        trimmed = values.str.strip()
        return trimmed.mask(trimmed == "")
    if kind == "yes_no":
        return values == "y"
    if kind in ("id", "number", "cents", "unrounded", "text"):
        return values
    texts = pd.Series(values.dropna().unique(), dtype=str)
    texts.index = pd.Index(texts)
    if kind == "month":
        return _by_value(values, pd.to_datetime(texts, format="%b-%Y").dt.date, _DATE)
    if kind == "year":
        return _by_value(values, texts.str[-4:].astype(int), _WHOLE)
    years = texts.str.extract(r"(\d+)", expand=False).dropna().astype(int)
    if kind == "years_employed":
        years = years.where(years.index != "< 1 year", 0)
    return _by_value(values, years, _WHOLE)


def main(task: Task) -> None:
    kinds = raw_kinds(task)
    raw = pd.read_csv(
        task["csv"],
        engine="pyarrow",
        dtype_backend="pyarrow",
        usecols=list(kinds),
        dtype={name: pd.ArrowDtype(_TYPES.get(kind, pa.string())) for name, kind in kinds.items()},
        na_values=BLANKS,
        keep_default_na=False,
    )
    for table in task["tables"]:
        frame = pd.DataFrame({column["name"]: _read(column, raw) for column in table["columns"]})
        target, cut = Path(task["out"]) / table["name"], table["partition"]
        target.mkdir(parents=True)
        if cut is None:
            frame.to_parquet(target / "0.parquet", compression="zstd", index=False)
            continue
        # The writer takes the column that it cuts by out of the files; the table's own stays.
        key = frame[cut["column"]]
        frame["__cut"] = key.dt.year if cut["by_year"] else key
        frame.to_parquet(target, compression="zstd", index=False, partition_cols=["__cut"])


if __name__ == "__main__":
    with part("write"):
        main(given())
