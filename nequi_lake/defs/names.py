"""Names in Dagster: keys of assets, and the attributes that every asset of a dataset has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypedDict

import dagster as dg

from nequi_lake.datasets.spec import INDEX, Dataset, Relation
from nequi_lake.lake.layout import RAW, REPORTS

IO_RAW, IO_TABLES, IO_REPORTS = "raw_files", "iceberg", "reports"

SNAPSHOT_ID = "snapshot_id"
"""Metadata of a report: the snapshot that was profiled."""


_REPORT = "_report"

TAG_DATASET, TAG_SOURCE, TAG_LAKE = "dataset", "source", "lake"
"""Tags of a run: the datasets it makes, what fills them, and where they go."""


def raw_key(dataset: str, file: str) -> dg.AssetKey:
    """The key of a raw file."""
    return dg.AssetKey([RAW, dataset, file])


def table_key(dataset: Dataset, table: Relation) -> dg.AssetKey:
    """The key of a table or mart."""
    return dg.AssetKey([table.zone, dataset.name, table.name])


def report_key(dataset: str, table: str) -> dg.AssetKey:
    """The key of a profiling report. Lineage shows only its last part, which differs from the table's own name."""
    return dg.AssetKey([REPORTS, dataset, f"{table}{_REPORT}"])


def table_of(key: dg.AssetKey) -> str:
    """``<dataset>.<table>`` of the key of a table, of a mart, or of a report of one."""
    zone, dataset, name = key.path
    return f"{dataset}.{name.removesuffix(_REPORT) if zone == REPORTS else name}"


def index_key(dataset: str) -> dg.AssetKey:
    """The key of a dataset's part in the index of all reports."""
    return dg.AssetKey([REPORTS, dataset, INDEX])


def dataset_and_name(key: dg.AssetKey) -> tuple[str, str]:
    """The dataset, and the file or table, of a key."""
    _, dataset, name = key.path
    return dataset, name


class AssetAttributes(TypedDict):
    """Keyword arguments of an asset of a dataset."""

    group_name: str
    owners: Sequence[str]
    tags: Mapping[str, str]
    freshness_policy: dg.FreshnessPolicy


def asset_attributes(dataset: Dataset, zone: str) -> AssetAttributes:
    """Group, owner, tags and expected freshness of an asset of ``zone``."""
    return {
        "group_name": dataset.name,
        "owners": [dataset.owner] if dataset.owner else [],
        "tags": {"zone": zone, "dataset": dataset.name},
        "freshness_policy": dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=dataset.fresh_for_h)),
    }
