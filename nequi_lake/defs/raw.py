"""Assets of the raw zone: one per file, fetched together, each with the check ``file_structure``."""

from collections.abc import Iterator

import dagster as dg

from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.failures import as_failure, check_result, refuse
from nequi_lake.defs.names import IO_RAW, asset_attributes, raw_key
from nequi_lake.formats import RawFile
from nequi_lake.lake.check import Check
from nequi_lake.lake.layout import RAW
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.read.reader import Lake
from nequi_lake.pipeline.fetch import fetched_files, structure_checks
from nequi_lake.quality.structure import FILE_STRUCTURE
from nequi_lake.sources import Sources


def raw_assets(dataset: Dataset) -> dg.AssetsDefinition:
    """The assets of a dataset's raw files."""

    @dg.multi_asset(
        name=f"{dataset.name}_raw",
        specs=[_spec(dataset, file) for file in dataset.files],
        check_specs=[
            dg.AssetCheckSpec(
                FILE_STRUCTURE,
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
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], sources: dg.ResourceParam[Sources]
    ) -> Iterator[dg.MaterializeResult[RawFileVersion] | dg.AssetCheckResult]:
        with as_failure(lake.settings.uri), fetched_files(lake, dataset, sources.of(dataset)) as files:
            checks = structure_checks(dataset, files)
            for file in files:
                key = raw_key(dataset.name, file.file)
                if key in context.selected_asset_keys:
                    yield dg.MaterializeResult(asset_key=key, value=file, data_version=dg.DataVersion(file.sha256))
            for check_key in sorted(context.selected_asset_check_keys):
                name = check_key.asset_key.path[-1]
                yield check_result(checks.get(name) or _not_there(dataset, name), check_key.asset_key)
            failed = [check for check in checks.values() if check.refuses]
            if failed:
                raise refuse(failed, f"The published tables of {dataset.name} are as they were.")

    return fetch


def _not_there(dataset: Dataset, name: str) -> Check:
    return Check(
        name=FILE_STRUCTURE, subject=f"{dataset.name}/{name}", passed=True, found="the file is optional, and not there"
    )


def _spec(dataset: Dataset, file: RawFile) -> dg.AssetSpec:
    on_kaggle = f"On Kaggle it is part of {dataset.title} ({dataset.slug})."
    part_of = on_kaggle if dataset.slug else f"It is part of {dataset.title}."
    schema = dg.TableSchema(columns=[dg.TableColumn(name=leaf, type="text") for leaf in file.field_paths])
    return dg.AssetSpec(
        raw_key(dataset.name, file.name),
        skippable=True,
        description=f"{file.description}\n\nKept byte for byte as its source delivers it. {part_of}",
        kinds={file.kind, "file"},
        metadata={
            **({"kaggle": dg.MetadataValue.url(dataset.kaggle_page)} if dataset.slug else {}),
            **({"licence": dataset.licence} if dataset.licence else {}),
            **({"dagster/column_schema": schema} if file.field_paths else {}),
        },
        **asset_attributes(dataset, RAW),
    ).with_io_manager_key(IO_RAW)
