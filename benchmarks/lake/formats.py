"""``python -m benchmarks.lake.formats FORMAT ROWS``: keeps, stages, audits and publishes its file."""

import sys
from datetime import UTC, datetime

import rich.console  # noqa: F401 - PyIceberg imports it as it first publishes

import nequi_lake.lake.catalog.catalog  # noqa: F401 - the lake imports it, and PyIceberg with it, when first needed
from benchmarks.clock import part, timed
from benchmarks.formats import NAME, dataset
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline import tables
from nequi_lake.pipeline.fetch import fetch_and_keep
from nequi_lake.sources import open_source


def main() -> None:
    name, rows = sys.argv[1], int(sys.argv[2])
    settings, records = Settings.from_env(), dataset(name)
    lake = Lake(settings, {NAME: records})
    timed(tables, "stage")
    timed(tables, "audit")
    with part("keep"):
        fetch_and_keep(lake, records, open_source(settings))
    with tables.stage_tables(lake, records, f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-bench") as staged, part("publish"):
        staged.commit_all()
    found = lake.table(f"{NAME}.{NAME}").to_polars()["id"]
    if (len(found), found.sum()) != (rows, rows * (rows - 1) // 2):
        raise SystemExit(f"{name} has {len(found):,} records of {rows:,}.")


if __name__ == "__main__":
    main()
