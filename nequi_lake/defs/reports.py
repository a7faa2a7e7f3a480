"""Assets of the reports: one per table, computed from what readers see of it, and the index of them all."""

import time
import warnings

import dagster as dg
import pandas as pd
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.defs.failures import as_failure
from nequi_lake.defs.links import location
from nequi_lake.defs.names import IO_REPORTS, SNAPSHOT_ID, asset_attributes, index_key, report_key, table_key
from nequi_lake.lake.layout import REPORTS
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.pipeline.report import profile_relation, write_index
from nequi_lake.profiling.profile import STATISTICS, profile_frame


def _profile_frame() -> dg.DagsterType:
    with warnings.catch_warnings():
        # dagster-pandas is marked beta as a whole, and says so once a column.
        warnings.simplefilter("ignore", dg.BetaWarning)
        frame: dg.DagsterType = create_dagster_pandas_dataframe_type(
            name="ProfileFrame",
            description="Statistics of a table, one row per column.",
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
                *(PandasColumn.float_column(name, ignore_missing_vals=True) for name in STATISTICS),
                PandasColumn.exists("profile"),
            ],
        )
        return frame


ProfileFrame = _profile_frame()


def report_assets(dataset: Dataset) -> list[dg.AssetsDefinition]:
    """The reports of a dataset's tables, and its part in the index of all reports."""
    return [*(report_asset(dataset, table) for table in dataset.relations), index_asset(dataset)]


def report_asset(dataset: Dataset, table: Relation) -> dg.AssetsDefinition:
    """The asset of a table's profiling report."""
    source = table_key(dataset, table)

    @dg.asset(
        key=report_key(dataset.name, table.name),
        ins={"table": dg.AssetIn(source)},
        description=f"Profiling report of {dataset.name}.{table.name}: what is in every column, what stands out, and "
        "what changed since the release before, as HTML, JSON and CSV.",
        dagster_type=ProfileFrame,
        io_manager_key=IO_REPORTS,
        required_resource_keys={"lake"},
        kinds={"html", "pandas"},
        **asset_attributes(dataset, REPORTS),
    )
    def report(table: LakeTable) -> dg.MaterializeResult[pd.DataFrame]:
        with as_failure(table.published.name):
            began = time.monotonic()
            frame = profile_frame(profile_relation(table))
            return dg.MaterializeResult(
                value=frame,
                metadata={
                    SNAPSHOT_ID: str(table.published.snapshot_id),
                    "profile_seconds": round(time.monotonic() - began, 3),
                },
                data_version=dg.DataVersion(table.published.release.id),
            )

    return report


def index_asset(dataset: Dataset) -> dg.AssetsDefinition:
    """The asset of the page that lists all reports of the lake, as the reports of ``dataset`` update it."""

    @dg.asset(
        key=index_key(dataset.name),
        deps=[report_key(dataset.name, table.name) for table in dataset.relations],
        description=f"The page that lists all reports of the lake and says how every table is, with {dataset.name} as "
        "it is now; and the data dictionary.",
        kinds={"html"},
        **asset_attributes(dataset, REPORTS),
    )
    def index(lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult[None]:
        with as_failure(lake.settings.uri):
            written = write_index(lake)
        own = [table for table in written.tables if table.dataset.name == dataset.name]
        return dg.MaterializeResult(
            metadata={
                **{name: location(link) for name, link in written.links.items()},
                "tables": len(own),
                "tables_published": sum(table.published is not None for table in own),
                "tables_that_keep_their_contract": sum(table.contract_kept is True for table in own),
                "alerts_to_act_on": sum(table.alerts[1] for table in own),
            }
        )

    return index
