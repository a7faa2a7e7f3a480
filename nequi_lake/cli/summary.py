"""What a run ends with: the published tables, and what a person should look at in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nequi_lake.cli.show import Format, print_rows, say

if TYPE_CHECKING:
    from nequi_lake.datasets.spec import Dataset
    from nequi_lake.lake.read.reader import Lake
    from nequi_lake.lake.read.table import LakeTable


def table_rows(tables: Iterable[LakeTable]) -> list[dict[str, Any]]:
    """Published tables as rows to print."""
    return [
        {
            "table": table.published.name,
            "rows": table.published.rows,
            "bytes": table.published.size_bytes,
            "partitions": table.published.partitions,
            "quarantined": table.published.accounting.quarantined if table.table.accounts_for_records else None,
            "release": table.published.release.id,
            "source_release": table.published.release.source_release,
            "published_at": table.published.published_at.isoformat(timespec="seconds"),
            "source": table.published.release.source,
        }
        for table in tables
    ]


def print_summary(lake: Lake, datasets: Sequence[str]) -> None:
    """Print the published tables of datasets, and what a person should look at in them."""
    rows = table_rows(table for name in datasets for table in lake.tables_of(lake.datasets[name]).values())
    if rows:
        print_rows(rows, Format.TABLE)
    for name in datasets:
        for warning in _warnings(lake, lake.datasets[name]):
            say(warning)


def _warnings(lake: Lake, dataset: Dataset) -> Iterator[str]:
    """What a person should look at in what readers see of a dataset."""
    from nequi_lake.lake.check import read_record

    put_aside: dict[str, tuple[int, str]] = {}
    for table in lake.tables_of(dataset).values():
        published = table.published
        for check in read_record(lake.storage, dataset.name, published.release.run_id, published.table):
            if check.warns:
                yield f"{check.subject}: {check.name} warns: {check.found}"
        for file, account in published.accounting.files.items():
            if account.quarantined:
                put_aside[file] = (account.quarantined, published.name)
    for file, (count, name) in put_aside.items():
        look = f"nequi-lake quarantine {name} --summary"
        yield f"{dataset.name}: {count:,} records of {file} are in the quarantine: {look}"
