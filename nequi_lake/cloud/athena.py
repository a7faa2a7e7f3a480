"""SQL over the lake's tables where they are in the Glue Data Catalog, run by Athena, with what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyathena
import pyathena.error

from nequi_lake.errors import CatalogError, UsageError
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.aws import access, explain

USD_PER_TB = 5.0
"""What Athena asks for a terabyte scanned in most regions. Source: aws.amazon.com/athena/pricing, 2026."""
_LEAST_BYTES = 10_000_000
_TB = 10**12


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a query gave.

    Attributes:
        rows: its rows, column name → value.
        scanned_bytes: what it read.
        seconds: how long Athena worked on it.
        query_id: Athena's identifier of it.
    """

    rows: list[dict[str, Any]]
    scanned_bytes: int
    seconds: float
    query_id: str

    @property
    def cost_usd(self) -> float:
        """What it costs at :data:`USD_PER_TB`: ten megabytes at least, except for what reads nothing at all."""
        return max(self.scanned_bytes, _LEAST_BYTES if self.scanned_bytes else 0) / _TB * USD_PER_TB


def ask(query: str, settings: Settings, *, poll_s: float = 0.5) -> Answer:
    """Run one query in the lake's workgroup. A table is named ``dataset.table``.

    Athena sees each table's newest commit, so that siblings may be one commit apart while a run publishes.

    Args:
        query: in Athena's SQL.
        settings: names the workgroup, which says where results go and what a query may scan.
        poll_s: seconds between looks at whether it is done.

    Raises:
        UsageError: the lake is not in Glue.
        CatalogError: Athena refuses the query, or it broke off.
        TransientError: Athena could not be reached.
    """
    if settings.catalog != "glue":
        raise UsageError(
            "Athena reads the Glue Data Catalog, and this lake is not in it.",
            where=settings.uri,
            fix="Leave --athena out, or name a lake on S3 in NEQUI_LAKE_URI.",
        )
    way = access(settings.encryption)
    try:
        with pyathena.connect(
            work_group=settings.athena_workgroup,
            region_name=way.region,
            session=way.session,
            poll_interval=poll_s,
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            names = [column[0] for column in cursor.description or ()]
            return Answer(
                rows=[dict(zip(names, row, strict=True)) for row in cursor],
                scanned_bytes=cursor.data_scanned_in_bytes or 0,
                seconds=(cursor.engine_execution_time_in_millis or 0) / 1000,
                query_id=cursor.query_id or "",
            )
    except pyathena.error.Error as error:
        told = explain(error, settings.athena_workgroup)
        if told:
            raise told from error
        raise CatalogError(
            f"Athena did not answer the query: {error}",
            where=f"workgroup {settings.athena_workgroup}",
            fix="nequi-lake tables lists what can be read. nequi-lake infra deploy makes the workgroup.",
        ) from error
