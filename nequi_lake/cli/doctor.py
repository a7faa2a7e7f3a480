"""``nequi-lake doctor``: checks settings, storage, source, catalog and tables, and changes nothing."""

from __future__ import annotations

import shutil

from nequi_lake.datasets import declarations
from nequi_lake.datasets.spec import Dataset
from nequi_lake.datasets.trial import try_out
from nequi_lake.errors import NequiLakeError, SourceError
from nequi_lake.lake.check import Check, run_check
from nequi_lake.lake.layout import read_identity
from nequi_lake.lake.read.reader import Lake
from nequi_lake.sources import Source

DECLARATIONS = "declarations"
"""The check of the modules of datasets. One that fails costs its own dataset, and stops no run of the others."""
MIN_FREE_BYTES = 1_000_000_000
_NO_LAKE = "there is no lake yet: the first run makes it"


def examine(lake: Lake, source: Source) -> list[Check]:
    """Run every check, in order."""
    return [run_check(DECLARATIONS, "nequi_lake.datasets", _declarations), *examine_surroundings(lake, source)]


def examine_surroundings(lake: Lake, source: Source) -> list[Check]:
    """Run the checks of what a run of any dataset needs, in order."""
    return [
        run_check("storage_access", lake.settings.uri, lake.storage.check_access),
        run_check("storage_writable", lake.settings.uri, lake.storage.check_writable),
        run_check("lake_format", lake.settings.uri, lambda: _format(lake)),
        run_check("free_disk_space", lake.settings.uri, lambda: _free_space(lake)),
        run_check("source_access", source.describe(), lambda: f"as {source.account()}"),
        run_check("source_datasets", source.describe(), lambda: _offered(lake, source)),
        run_check("catalog_access", lake.settings.catalog_shown or lake.settings.catalog, lambda: _catalog(lake)),
        run_check("table_files", lake.settings.uri, lambda: _in_place(lake)),
    ]


def offered(lake: Lake, source: Source) -> list[Dataset]:
    """The declared datasets that the source has."""
    return [dataset for dataset in lake.datasets.values() if source.offers(dataset)]


def _declarations() -> str:
    found = declarations()
    for error in found.broken.values():
        raise error
    for dataset in found.datasets.values():
        try_out(dataset)
    return f"{len(found.datasets)} datasets are declared"


def _format(lake: Lake) -> str:
    identity = read_identity(lake.storage)
    return f"format {identity.format}, lake {identity.id}" if identity else _NO_LAKE


def _free_space(lake: Lake) -> str:
    scratch = lake.storage.scratch_folder("probe")
    folder = next(path for path in (scratch, *scratch.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        raise NequiLakeError(
            f"{free / 1e9:.1f} GB are free, a run needs {MIN_FREE_BYTES / 1e9:.0f} GB.",
            where=str(folder),
            fix="Free some space, or set NEQUI_LAKE_URI, or TMPDIR for a lake on S3, to another disk.",
        )
    return f"{free / 1e9:.0f} GB are free"


def _offered(lake: Lake, source: Source) -> str:
    found = [dataset.name for dataset in offered(lake, source)]
    if not found:
        raise SourceError(
            "The source has none of the datasets.",
            where=source.describe(),
            fix=f"Set NEQUI_LAKE_SOURCE to sample, or to a folder that holds one of: {', '.join(lake.datasets)}.",
        )
    return ", ".join(found)


def _catalog(lake: Lake) -> str:
    if read_identity(lake.storage) is None:
        return _NO_LAKE
    return f"{len(lake.tables())} tables are published"


def _in_place(lake: Lake) -> str:
    if read_identity(lake.storage) is None:
        return _NO_LAKE
    strays = [path for table in lake.tables() for path in lake.storage.missing(table.files())]
    if strays:
        raise NequiLakeError(
            f"{len(strays)} files of published tables are not where the catalog has them.",
            where=strays[0],
            fix="Bring them back from a backup, or run their datasets again.",
        )
    return "every file of every published table is where the catalog has it"
