"""Assets of the raw zone: one a file, fetched together, each with the check ``file_is_whole``."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg

from nequi_lake.datasets.spec import Dataset, RawFile
from nequi_lake.defs.failures import as_failure, check_result, refuse
from nequi_lake.defs.names import IO_RAW, RAW, belongs_to, raw_key
from nequi_lake.lake.housekeeping import remove_drafts
from nequi_lake.lake.layout import ensure_identity
from nequi_lake.lake.raw import Fetched, KeptFile, Part, RawZone, content_version, sha256_of
from nequi_lake.lake.reader import Lake
from nequi_lake.quality.structure import FILE_IS_WHOLE, Problem, Structure, as_check, inspect, together
from nequi_lake.sources import Delivered, Source

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
        with as_failure(lake.settings.uri):
            ensure_identity(lake.storage)
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
    return [(file, _structure_of(file, kept[file.name]), kept[file.name]) for file in dataset.files if kept]


def _structure_of(file: RawFile, kept: KeptFile) -> Structure:
    return together(
        file,
        {
            part.name: Structure(
                records=part.records,
                lines=part.lines,
                problems=tuple(Problem(*problem) for problem in part.problems),
                problem_count=part.damaged,
                damaged=part.damaged,
                marked=part.marked,
            )
            for part in kept.parts
        },
    )


def receive(dataset: Dataset, source: Source, folder: Path) -> Received:
    """Fetch a dataset's files into ``folder``, look at their structure, and say which version they are."""
    log.info("%s: fetching from %s", dataset.name, source.describe())
    delivered = source.fetch(dataset, folder)
    declared = {file.name: file for file in dataset.files}
    with ThreadPoolExecutor(max_workers=1) as beside:
        # Hashing keeps one core busy, and the look at the structure another.
        hashing = {arrived.part: beside.submit(sha256_of, arrived.path) for arrived in delivered}
        structures = {arrived.part: inspect(declared[arrived.file], arrived.path) for arrived in delivered}
        hashes = {part: digest.result() for part, digest in hashing.items()}
    version = next((arrived.source_version for arrived in delivered if arrived.source_version), None)
    return [
        _received(
            dataset, file, [one for one in delivered if one.file == file.name], structures, hashes, version, folder
        )
        for file in dataset.files
    ]


def _received(
    dataset: Dataset,
    file: RawFile,
    delivered: Sequence[Delivered],
    seen: Mapping[str, Structure],
    hashes: Mapping[str, str],
    version: str | None,
    folder: Path,
) -> tuple[RawFile, Structure, Fetched]:
    structures = {arrived.part: seen[arrived.part] for arrived in delivered}
    parts = tuple(
        Part(
            name=arrived.part,
            sha256=hashes[arrived.part],
            size_bytes=arrived.path.stat().st_size,
            zip_sha256=arrived.zip_sha256,
            records=structures[arrived.part].records,
            lines=structures[arrived.part].lines,
            damaged=structures[arrived.part].damaged,
            problems=tuple((problem.line, problem.reason) for problem in structures[arrived.part].problems),
            marked=structures[arrived.part].marked,
        )
        for arrived in delivered
    )
    structure = together(file, structures)
    first = delivered[0]
    fetched = Fetched(
        dataset=dataset.name,
        file=file.name,
        version=version or content_version(hashes),
        source=first.source,
        source_version=first.source_version,
        licence=first.licence or dataset.licence,
        whole=structure.loads(dataset.quarantine_limit(file)),
        parts=parts,
        folder=folder,
    )
    content = f"{structure.records:,} records in" if file.field_paths else "kept and not read,"
    size = f"{fetched.size_bytes:,} bytes" + (f" in {len(parts)} parts" if len(parts) > 1 else "")
    log.info("%s: %s, %s %s", dataset.name, file.name, content, size)
    return file, structure, fetched


def _spec(dataset: Dataset, file: RawFile) -> dg.AssetSpec:
    schema = dg.TableSchema(columns=[dg.TableColumn(name=leaf, type="text") for leaf in file.field_paths])
    return dg.AssetSpec(
        raw_key(dataset.name, file.name),
        skippable=True,
        description=f"{file.description}\n\nKept byte for byte as {dataset.title} has it on Kaggle ({dataset.slug}).",
        kinds={file.kind, "file"},
        metadata={
            "kaggle": dg.MetadataValue.url(f"https://www.kaggle.com/datasets/{dataset.slug}"),
            "licence": dataset.licence,
            **({"dagster/column_schema": schema} if file.field_paths else {}),
        },
        **belongs_to(dataset, RAW),
    ).with_io_manager_key(IO_RAW)
