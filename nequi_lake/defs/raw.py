"""Assets of the raw zone: one a file, fetched together, each with the check ``file_is_whole``."""

import logging
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from nequi_lake.datasets.spec import Dataset, RawFile
from nequi_lake.defs.failures import as_failure, check_result, refuse
from nequi_lake.defs.names import IO_RAW, RAW, belongs_to, raw_key
from nequi_lake.lake.housekeeping import remove_drafts
from nequi_lake.lake.raw import Fetched, KeptFile, RawZone, content_version, sha256_of
from nequi_lake.lake.reader import Lake
from nequi_lake.quality.structure import FILE_IS_WHOLE, Problem, Structure, as_check, inspect
from nequi_lake.sources import Source

log = logging.getLogger(__name__)


def raw_assets(dataset: Dataset) -> dg.AssetsDefinition:
    """The assets of a dataset's raw files."""

    @dg.multi_asset(
        name=f"{dataset.name}_raw",
        specs=[_spec(dataset, file) for file in dataset.files],
        check_specs=[
            dg.AssetCheckSpec(
                FILE_IS_WHOLE,
                asset=raw_key(dataset.name, file.name),
                blocking=True,
                description="The file has the declared layout, and every record can be read. A few that cannot are a "
                "warning and go to the quarantine; more than the limit refuse the file.",
            )
            for file in dataset.files
        ],
        can_subset=True,
        op_tags={"dataset": dataset.name},
    )
    def fetch(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], source: dg.ResourceParam[Source]
    ) -> Iterator[dg.MaterializeResult[Fetched | KeptFile] | dg.AssetCheckResult]:
        with (
            as_failure(lake.settings.uri),
            lake.storage.alone(dataset.name),
            lake.storage.scratch(dataset.name) as folder,
        ):
            remove_drafts(dataset, lake.storage)
            received = already_kept(dataset, source, RawZone(lake.storage)) or receive(dataset, source, folder)
            checks = {
                file.name: as_check(dataset.name, file, structure, dataset.quarantine_limit(file))
                for file, structure, _ in received
            }
            for file, _, fetched in received:
                key = raw_key(dataset.name, file.name)
                if key in context.selected_asset_keys:
                    yield dg.MaterializeResult(
                        asset_key=key, value=fetched, data_version=dg.DataVersion(fetched.sha256)
                    )
            for check_key in sorted(context.selected_asset_check_keys):
                yield check_result(checks[check_key.asset_key.path[-1]], check_key.asset_key)
            for check in checks.values():
                if check.warns:
                    log.warning("%s: %s warns: %s", check.subject, check.name, check.found)
            failed = [check for check in checks.values() if check.refuses]
            if failed:
                raise refuse(failed, f"The published tables of {dataset.name} are as they were.")

    return fetch


Received = list[tuple[RawFile, Structure, Fetched | KeptFile]]
"""Each raw file with what the structure pass found, on this machine's disk or in the raw zone already."""


def already_kept(dataset: Dataset, source: Source, zone: RawZone) -> Received:
    """The source's version of the dataset, where the raw zone has it whole; nothing where it must be fetched."""
    version = source.version(dataset)
    kept = zone.whole_version(dataset, version) if version else {}
    if kept:
        log.info("%s: version %s of %s is kept already", dataset.name, version, source.describe())
    return [(file, _structure_of(kept[file.name]), kept[file.name]) for file in dataset.files if kept]


def _structure_of(kept: KeptFile) -> Structure:
    return Structure(
        records=kept.records,
        lines=kept.lines,
        problems=tuple(Problem(*problem) for problem in kept.problems),
        problem_count=kept.damaged,
        damaged=kept.damaged,
        marked=kept.marked,
    )


def receive(dataset: Dataset, source: Source, folder: Path) -> Received:
    """Fetch a dataset's files into ``folder``, look at their structure, and say which version they are."""
    log.info("%s: fetching from %s", dataset.name, source.describe())
    delivered = source.fetch(dataset, folder)
    hashes = {file.file: sha256_of(file.path) for file in delivered}
    version = next((file.source_version for file in delivered if file.source_version), None)
    received: Received = []
    for file, arrived in zip(dataset.files, delivered, strict=True):
        structure = inspect(file, arrived.path)
        size = arrived.path.stat().st_size
        content = f"{structure.records:,} records in" if file.leaves else "kept and not read,"
        log.info("%s: %s, %s %s bytes", dataset.name, file.name, content, f"{size:,}")
        received.append(
            (
                file,
                structure,
                Fetched(
                    dataset=dataset.name,
                    file=file.name,
                    path=arrived.path,
                    version=version or content_version(hashes),
                    sha256=hashes[file.name],
                    size_bytes=size,
                    source=arrived.source,
                    source_version=arrived.source_version,
                    licence=arrived.licence or dataset.licence,
                    zip_sha256=arrived.zip_sha256,
                    records=structure.records,
                    lines=structure.lines,
                    whole=structure.loads(dataset.quarantine_limit(file)),
                    damaged=structure.damaged,
                    problems=tuple((problem.line, problem.reason) for problem in structure.problems),
                    marked=structure.marked,
                ),
            )
        )
    return received


def _spec(dataset: Dataset, file: RawFile) -> dg.AssetSpec:
    schema = dg.TableSchema(columns=[dg.TableColumn(name=leaf, type="text") for leaf in file.leaves])
    return dg.AssetSpec(
        raw_key(dataset.name, file.name),
        skippable=True,
        description=f"{file.description}\n\nKept byte for byte as {dataset.title} has it on Kaggle ({dataset.slug}).",
        kinds={file.kind, "file"},
        metadata={
            "kaggle": dg.MetadataValue.url(f"https://www.kaggle.com/datasets/{dataset.slug}"),
            "licence": dataset.licence,
            **({"dagster/column_schema": schema} if file.leaves else {}),
        },
        **belongs_to(dataset, RAW),
    ).with_io_manager_key(IO_RAW)
