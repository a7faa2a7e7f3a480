"""Statistics of every column of every table with DuckDB's SUMMARIZE."""

import duckdb

from benchmarks.clock import part
from benchmarks.peers.task import Task, given


def main(task: Task) -> None:
    with duckdb.connect() as connection:
        for files in task["files"].values():
            connection.execute("SUMMARIZE SELECT * FROM read_parquet(?, hive_partitioning = false)", [files]).fetchall()


if __name__ == "__main__":
    with part("profile"):
        main(given())
