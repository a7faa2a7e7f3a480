"""IO managers: what an asset's value is once it is persisted, and what a downstream asset gets of it."""

from __future__ import annotations

import logging
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa

from nequi_lake.defs.failures import as_failure
from nequi_lake.defs.links import location
from nequi_lake.defs.names import SNAPSHOT_ID, dataset_and_name, table_of
from nequi_lake.defs.publishing import column_lineage, column_schema
from nequi_lake.errors import CatalogError
from nequi_lake.lake.layout import report_path
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.pipeline.publish import PendingCommit
from nequi_lake.pipeline.report import write_report
from nequi_lake.profiling.markdown import markdown
from nequi_lake.profiling.profile import profile_frame, read_profile

log = logging.getLogger(__name__)


class RawFileIOManager(dg.IOManager):
    """Keeps a fetched file in the raw zone; gives it as it is in the current version."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._zone = RawZone(lake.storage)

    def handle_output(self, context: dg.OutputContext, obj: RawFileVersion) -> None:
        with as_failure(self._lake.settings.uri):
            kept = self._zone.keep(self._lake.datasets[obj.dataset], obj)
        context.add_output_metadata(
            {
                "file": location(self._lake.storage.link(kept.path)),
                "version": kept.version,
                "sha256": kept.sha256,
                "bytes": kept.size_bytes,
                "parts": len(kept.parts),
                "records": kept.records,
                "damaged_records": kept.damaged,
                "source": kept.source,
                **({"licence": kept.licence} if kept.licence else {}),
                "fetched_at": kept.fetched_at,
            }
        )

    def load_input(self, context: dg.InputContext) -> RawFileVersion:
        dataset, file = dataset_and_name(context.asset_key)
        with as_failure(self._lake.settings.uri):
            return self._zone.newest(self._lake.datasets[dataset])[file]


class IcebergIOManager(dg.IOManager):
    """Publishes a staged table in one commit; gives the newest whole release of it.

    A downstream asset gets a ``LakeTable``, ``pl.LazyFrame``, ``pa.Table`` or ``pd.DataFrame``, by its annotation.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def handle_output(self, context: dg.OutputContext, obj: PendingCommit) -> None:
        dataset = obj.group.dataset
        table = dataset.relation(obj.name)
        with as_failure(self._lake.settings.uri):
            published = obj.commit()
        account = published.accounting
        context.add_output_metadata(
            {
                "dagster/row_count": published.rows,
                "dagster/column_schema": column_schema(table),
                "dagster/column_lineage": column_lineage(dataset, table),
                "dagster/uri": self._lake.storage.path(table.zone, dataset.name, table.name),
                "bytes": published.size_bytes,
                "files": len(published.files),
                "partitions": published.partitions,
                **(
                    {
                        "raw_records": account.raw_records,
                        "quarantined": account.quarantined,
                        "merged": account.merged,
                    }
                    if table.accounts_for_records
                    else {}
                ),
                "release": published.release.id,
                "sequence": published.release.sequence,
                **({"source_release": published.release.source_release} if published.release.source_release else {}),
                "snapshot_id": str(published.snapshot_id),
                "raw_version": published.release.raw_version,
                "source": published.release.source,
                "new_snapshot": obj.is_new,
                "report": location(
                    self._lake.storage.link(report_path(self._lake.storage, dataset.name, table.name, "html"))
                ),
            }
        )

    def load_input(self, context: dg.InputContext) -> LakeTable | pl.LazyFrame | pa.Table | pd.DataFrame:
        wanted: Any = context.dagster_type.typing_type
        with as_failure(self._lake.settings.uri):
            table = self._lake.table(table_of(context.asset_key))
            if wanted is LakeTable:
                return table
            if wanted in (pl.LazyFrame, Any):
                return table.scan()
            if wanted is pa.Table:
                return table.to_arrow()
            if wanted is pd.DataFrame:
                return table.to_pandas()
            raise CatalogError(
                f"A table cannot be given as {wanted}.",
                where=context.asset_key.to_user_string(),
                fix="Annotate the input as LakeTable, pl.LazyFrame, pa.Table or pd.DataFrame.",
            )


class ReportIOManager(dg.IOManager):
    """Writes a profile as HTML, JSON and CSV; gives it as the frame that it was."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame) -> None:
        with as_failure(self._lake.settings.uri):
            written = write_report(
                self._lake,
                table_of(context.asset_key),
                obj["profile"].tolist(),
                snapshot_id=int(context.output_metadata[SNAPSHOT_ID].value),
            )
        report, published = written.report, written.table.published
        context.add_output_metadata(
            {
                **{"report" if ending == "html" else ending: location(link) for ending, link in written.links.items()},
                "profile": dg.MetadataValue.md(markdown(report)),
                "rows": published.rows,
                "bytes": published.size_bytes,
                "missing_percent": round(100 * report.missing_share, 4),
                "columns_with_missing_values": int((obj["missing"] > 0).sum()),
                **(
                    {"quarantined": published.accounting.quarantined}
                    if written.table.table.accounts_for_records
                    else {}
                ),
                "alerts": len(report.alerts),
                "alerts_to_act_on": sum(alert.serious for alert in report.alerts),
            }
        )

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        with as_failure(self._lake.settings.uri):
            published = self._lake.table(table_of(context.asset_key)).published
            path = report_path(self._lake.storage, published.dataset, published.table, "json")
            return profile_frame(read_profile(self._lake.storage.read(path)))
