"""Fetches, keeps, stages, audits and publishes credit_risk as a run does, and tells how long each took."""

from datetime import UTC, datetime

import rich.console  # noqa: F401 - PyIceberg imports it as it first publishes

import nequi_lake.lake.catalog.catalog  # noqa: F401 - the lake imports it, and PyIceberg with it, when first needed
from benchmarks.clock import part, timed
from nequi_lake.lake.declared import discover
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline import tables
from nequi_lake.pipeline.fetch import fetch_and_keep
from nequi_lake.sources import open_source


def main() -> None:
    settings = Settings.from_env()
    dataset, lake = discover()["credit_risk"], Lake(settings)
    timed(tables, "stage")
    timed(tables, "audit")
    with part("keep"):
        fetch_and_keep(lake, dataset, open_source(settings))
    with tables.stage_tables(lake, dataset, f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-bench") as staged, part("publish"):
        staged.commit_all()


if __name__ == "__main__":
    main()
