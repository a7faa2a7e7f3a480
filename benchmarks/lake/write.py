"""Fetches, keeps, stages, audits and publishes credit_risk as a run does, and tells how long each took."""

from datetime import UTC, datetime

import rich.console  # noqa: F401 - PyIceberg imports it as it first publishes

import nequi_lake.lake.catalog  # noqa: F401 - the lake imports it, and PyIceberg with it, when it is first needed
from benchmarks.clock import part
from nequi_lake.datasets import discover
from nequi_lake.engines.fingerprint import release_id
from nequi_lake.engines.polars import stage
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.release import Release
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.fetch import receive
from nequi_lake.quality.audit import audit
from nequi_lake.sources import open_source


def main() -> None:
    settings = Settings.from_env()
    dataset, lake = discover()["credit_risk"], Lake(settings)
    zone, names = RawZone(lake.storage), tuple(table.name for table in dataset.tables)
    with lake.storage.lock(dataset.name):
        with part("keep"), lake.storage.scratch(dataset.name) as folder:
            fetched = receive(dataset, open_source(settings), folder)
            files = {file.file: zone.keep(dataset, file) for file in fetched}
        with part("stage"):
            release = Release(
                id=release_id(dataset, files.values()),
                run_id=f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-bench",
                raw_version=next(iter(files.values())).version,
                tables=names,
            )
            staged = stage(dataset, files, names, release, lake.storage)
        with part("audit"):
            failed = [check for check in audit(dataset, staged, {}, lake.storage) if not check.passed]
            assert not failed, failed
        with part("publish"):
            for table in staged.values():
                lake.catalog.publish(dataset, table)


if __name__ == "__main__":
    main()
