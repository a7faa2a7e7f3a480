"""The four tables with DuckDB: the CSV file into a temporary table, and a COPY of it for each table."""

from pathlib import Path

import duckdb

from benchmarks.clock import part
from benchmarks.peers.task import BLANKS, Column, Task, given, raw_kinds

_TYPES = {
    **{"id": "BIGINT", "whole": "DOUBLE", "number": "DOUBLE", "month": "DATE", "year": "DATE"},
    **{"cents": "DECIMAL(18, 2)", "unrounded": "DECIMAL(18, 10)"},
}


def _read(column: Column) -> str:
    raw = f'"{column["raw"]}"'
    value = {
        "whole": f"CAST({raw} AS BIGINT)",
        "trimmed": f"nullif(trim({raw}), '')",
        "year": f"year({raw})",
        "term": f"CAST(replace({raw}, ' months', '') AS BIGINT)",
        "years_employed": f"CASE {raw} WHEN '< 1 year' THEN 0 WHEN '10+ years' THEN 10 "
        f"ELSE TRY_CAST(split_part({raw}, ' ', 1) AS BIGINT) END",
        "yes_no": f"{raw} = 'y'",
    }.get(column["kind"], raw)
    return f'{value} AS "{column["name"]}"'


def main(task: Task) -> None:
    kinds = raw_kinds(task)
    columns = {raw: _TYPES.get(kinds.get(raw, "text"), "VARCHAR") for raw in task["header"]}
    wanted = ", ".join(f'"{raw}"' for raw in kinds)
    out = Path(task["out"])
    out.mkdir(parents=True)
    with duckdb.connect() as connection:
        # Four scans of the CSV file take longer, and order costs memory.
        connection.execute(f"SET preserve_insertion_order = false; SET temp_directory = '{out}/.spill'")
        connection.execute(
            f"CREATE TEMP TABLE raw AS SELECT {wanted} FROM read_csv(?, columns = ?, header = true, "
            "auto_detect = false, delim = ',', quote = '\"', escape = '\"', nullstr = ?, dateformat = '%b-%Y')",
            [task["csv"], columns, BLANKS],
        )
        for table in task["tables"]:
            selected = ", ".join(_read(column) for column in table["columns"])
            options, cut, target = "FORMAT parquet, COMPRESSION zstd", table["partition"], out / table["name"]
            if cut is None:
                target.mkdir()
                target /= "0.parquet"
            else:
                options += f', PARTITION_BY ("{cut["name"]}")'
                if cut["by_year"]:
                    selected += f', year("{cut["column"]}") AS "{cut["name"]}"'
                else:
                    options += ", WRITE_PARTITION_COLUMNS true"
            connection.execute(f"COPY (SELECT {selected} FROM raw) TO '{target}' ({options})")


if __name__ == "__main__":
    with part("write"):
        main(given())
