"""Assets of the reports: one a table, computed from what readers see of it, and the index of them all."""

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict

import dagster as dg
import pandas as pd
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type

from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.defs.failures import RELEASE, as_failure
from nequi_lake.defs.names import IO_REPORTS, REPORTS, belongs_to, report_key, table_key
from nequi_lake.lake.reader import LakeTable
from nequi_lake.profiling.profile import profile
from nequi_lake.profiling.report import CheckFound
from nequi_lake.quality.audit import TABLE_CHECKS

log = logging.getLogger(__name__)


def _profile_frame() -> dg.DagsterType:
    with warnings.catch_warnings():
        # dagster-pandas is marked beta as a whole, and says so once a column.
        warnings.simplefilter("ignore", dg.BetaWarning)
        of_some_types = ("mean", "std", "q25", "median", "q75", "skew", "zeros", "negatives", "blank")
        lengths = ("shortest", "mean_length", "longest")
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
                *(PandasColumn.float_column(name, ignore_missing_vals=True) for name in (*of_some_types, *lengths)),
                *(
                    PandasColumn.string_column(name, non_nullable=True)
                    for name in ("top", "values", "histogram", "correlations", "sample")
                ),
            ],
        )
        return frame


ProfileFrame = _profile_frame()


def report_asset(dataset: Dataset, table: Table) -> dg.AssetsDefinition:
    """The asset of a table's profiling report."""
    source = table_key(dataset.name, table.name)

    @dg.asset(
        key=report_key(dataset.name, table.name),
        ins={"table": dg.AssetIn(source)},
        description=f"Profiling report of {dataset.name}.{table.name}: what is in every column, what stands out, and "
        "what changed since the release before, as HTML, JSON and CSV.",
        dagster_type=ProfileFrame,
        io_manager_key=IO_REPORTS,
        kinds={"html", "pandas"},
        **belongs_to(dataset, REPORTS),
    )
    def report(context: dg.AssetExecutionContext, table: LakeTable) -> dg.MaterializeResult[pd.DataFrame]:
        with as_failure(table.published.name):
            log.info("%s: profiling %s rows", table.published.name, f"{table.published.rows:,}")
            began = time.monotonic()
            frame = profile(table)
            checks = recorded_checks(context, source, table.published.release.id)
            return dg.MaterializeResult(
                value=frame,
                metadata={
                    "snapshot_id": str(table.published.snapshot_id),
                    "profile_seconds": round(time.monotonic() - began, 3),
                    CHECKS: dg.MetadataValue.json([asdict(check) for check in checks]),
                },
                data_version=dg.DataVersion(table.published.release.id),
            )

    return report


CHECKS = "checks"
"""Metadata of a report: what the checks of its table found, which the page shows too."""


def recorded_checks(context: dg.AssetExecutionContext, table: dg.AssetKey, release: str) -> Sequence[CheckFound]:
    """What Dagster has recorded of a table's checks, where they were held against that release."""
    keys = [dg.AssetCheckKey(table, name) for name in TABLE_CHECKS]
    records = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    found = []
    for key in keys:
        evaluation = records[key].evaluation if key in records else None
        if evaluation is None:
            continue
        told = {name: value.value for name, value in evaluation.metadata.items()}
        if told.pop(RELEASE, None) == release:
            numbers = {name: value for name, value in told.items() if isinstance(value, int | float | str)}
            found.append(
                CheckFound(name=key.name, passed=evaluation.passed, found=evaluation.description or "", numbers=numbers)
            )
    return found
