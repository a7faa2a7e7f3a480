"""Assets of the reports: one a table, computed from what readers see of it."""

import logging
import warnings

import dagster as dg
import pandas as pd
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type

from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.defs.failures import as_failure
from nequi_lake.defs.names import IO_REPORTS, REPORTS, belongs_to, report_key, table_key
from nequi_lake.lake.reader import LakeTable
from nequi_lake.profiling.profile import profile

log = logging.getLogger(__name__)


def _profile_frame() -> dg.DagsterType:
    with warnings.catch_warnings():
        # dagster-pandas is marked beta as a whole, and says so once a column.
        warnings.simplefilter("ignore", dg.BetaWarning)
        frame: dg.DagsterType = create_dagster_pandas_dataframe_type(
            name="ProfileFrame",
            description="Statistics of a table, one row a column.",
            columns=[
                PandasColumn.string_column("column", non_nullable=True, unique=True),
                PandasColumn.string_column("type", non_nullable=True),
                PandasColumn.string_column("unit", non_nullable=True),
                PandasColumn.integer_column("count", non_nullable=True, min_value=0),
                PandasColumn.integer_column("missing", non_nullable=True, min_value=0),
                PandasColumn.float_column("missing_share", non_nullable=True, min_value=0.0, max_value=1.0),
                PandasColumn.float_column("null_limit", non_nullable=True, min_value=0.0, max_value=1.0),
                PandasColumn.integer_column("distinct", non_nullable=True, min_value=0),
                PandasColumn.boolean_column("exact", non_nullable=True),
                PandasColumn.exists("min"),
                PandasColumn.exists("max"),
                *(
                    PandasColumn.float_column(name, ignore_missing_vals=True)
                    for name in ("mean", "std", "q25", "median", "q75")
                ),
                PandasColumn.string_column("top", non_nullable=True),
            ],
        )
        return frame


ProfileFrame = _profile_frame()


def report_asset(dataset: Dataset, table: Table) -> dg.AssetsDefinition:
    """The asset of a table's profiling report."""

    @dg.asset(
        key=report_key(dataset.name, table.name),
        ins={"table": dg.AssetIn(table_key(dataset.name, table.name))},
        description=f"Profiling report of {dataset.name}.{table.name}: statistics of every column as HTML, JSON, CSV.",
        dagster_type=ProfileFrame,
        io_manager_key=IO_REPORTS,
        kinds={"html", "pandas"},
        **belongs_to(dataset, REPORTS),
    )
    def report(table: LakeTable) -> dg.MaterializeResult[pd.DataFrame]:
        with as_failure(table.published.name):
            log.info("%s: profiling %s rows", table.published.name, f"{table.published.rows:,}")
            return dg.MaterializeResult(
                value=profile(table),
                metadata={"snapshot_id": str(table.published.snapshot_id)},
                data_version=dg.DataVersion(table.published.release.id),
            )

    return report
