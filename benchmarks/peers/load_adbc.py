"""The four tables into PostgreSQL with ADBC's ingestion, batch by batch."""

import adbc_driver_postgresql.dbapi
import pyarrow.dataset

from benchmarks.clock import part
from benchmarks.peers.task import Task, given


def main(task: Task) -> None:
    with adbc_driver_postgresql.dbapi.connect(task["database"]) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA credit_risk")
        for table, files in task["files"].items():
            rows = pyarrow.dataset.dataset(files).scanner(batch_size=32_768, batch_readahead=1).to_reader()
            cursor.adbc_ingest(table, rows, mode="create", db_schema_name="credit_risk")
        connection.commit()


if __name__ == "__main__":
    with part("load"):
        main(given())
