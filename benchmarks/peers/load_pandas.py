"""The four tables into PostgreSQL with pandas, a hundred values of each statement's parameters at a time."""

import pandas as pd
import pyarrow.dataset
import sqlalchemy as sa

from benchmarks.clock import part
from benchmarks.peers.task import Task, given

_ROWS = 1_000


def main(task: Task) -> None:
    engine = sa.create_engine(task["database"])
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA credit_risk"))
        for table, files in task["files"].items():
            source = pyarrow.dataset.dataset(files)
            # What pandas would otherwise take for texts.
            types = {field.name: sa.Numeric() for field in source.schema if str(field.type).startswith("decimal")}
            for batch in source.to_batches(batch_size=32_768, batch_readahead=1):
                frame = batch.to_pandas(types_mapper=pd.ArrowDtype)
                frame.to_sql(
                    table,
                    connection,
                    schema="credit_risk",
                    if_exists="append",
                    index=False,
                    method="multi",
                    chunksize=_ROWS,
                    dtype=types,
                )


if __name__ == "__main__":
    with part("load"):
        main(given())
