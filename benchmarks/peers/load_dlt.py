"""The four tables into PostgreSQL with dlt, of Arrow's batches."""

import tempfile
from collections.abc import Iterator

import dlt
import pyarrow as pa
import pyarrow.dataset

from benchmarks.clock import part
from benchmarks.peers.task import Task, given


def rows_of(files: list[str]) -> Iterator[pa.Table]:
    """The rows of Parquet files, a batch at a time."""
    for batch in pyarrow.dataset.dataset(files).to_batches(batch_size=32_768, batch_readahead=1):
        yield pa.Table.from_batches([batch])


def main(task: Task) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=folder,
            destination=dlt.destinations.postgres(credentials=task["database"]),
            dataset_name="credit_risk",
        )
        pipeline.run([dlt.resource(rows_of(files), name=table) for table, files in task["files"].items()])


if __name__ == "__main__":
    with part("load"):
        main(given())
