"""``nequi-lake doctor``: checks settings, storage, source, catalog and tables, and changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from functools import partial

from nequi_lake.datasets.spec import Dataset
from nequi_lake.datasets.trial import try_out
from nequi_lake.errors import NequiLakeError, UsageError
from nequi_lake.lake.check import Check, run_check
from nequi_lake.lake.declared import ENTRY_POINTS, declarations, no_datasets
from nequi_lake.lake.hash_key import hash_key_of
from nequi_lake.lake.layout import read_identity
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.settings import Settings
from nequi_lake.sources import Sources
from nequi_lake.warehouse.load import check_access as check_warehouse

DECLARATIONS = "declarations"
"""The check of the modules of datasets. One that fails costs its own dataset, and stops no run of the others."""
MIN_FREE_BYTES = 1_000_000_000
_NO_LAKE = "there is no lake yet: the first run makes it"


def examine(lake: Lake, sources: Sources) -> list[Check]:
    """Run every check, in order."""
    declared = run_check(DECLARATIONS, _where(lake.settings), lambda: _declarations(lake.settings))
    hashes = run_check("hash_key", "NEQUI_LAKE_HASH_KEY", lambda: _hash_key(lake))
    return [declared, hashes, *examine_surroundings(lake), *examine_sources(lake.datasets.values(), sources)]


def examine_surroundings(lake: Lake) -> list[Check]:
    """Run the checks of what a run of any dataset needs, in order."""
    return [
        run_check("storage_access", lake.settings.uri, lake.storage.check_access),
        run_check("storage_writable", lake.settings.uri, lake.storage.check_writable),
        run_check("lake_format", lake.settings.uri, lambda: _format(lake)),
        run_check("free_disk_space", lake.settings.uri, lambda: _free_space(lake)),
        run_check("catalog_access", lake.settings.catalog_shown or lake.settings.catalog, lambda: _catalog(lake)),
        run_check("table_files", lake.settings.uri, lambda: _in_place(lake)),
        run_check("warehouse_access", lake.settings.warehouse_shown or "none", lambda: _warehouse(lake)),
    ]


def examine_sources(datasets: Iterable[Dataset], sources: Sources) -> list[Check]:
    """Run the checks of each source that the datasets have."""
    found = []
    for place, those in sources.places(datasets).items():
        found += [check_access(place, sources), run_check("source_datasets", place, partial(_offered, those, sources))]
    return found


def check_access(place: str, sources: Sources) -> Check:
    """Check that a source can be opened and asked."""
    return run_check("source_access", place, lambda: f"as {sources.at(place).account()}")


def _where(settings: Settings) -> str:
    """The places of declarations."""
    places = [*(["nequi_lake.datasets"] if settings.built_in else []), f"entry points {ENTRY_POINTS}"]
    return ", ".join([*places, *([settings.datasets] if settings.datasets else [])])


def _declarations(settings: Settings) -> str:
    found = declarations(settings)
    for error in found.broken.values():
        raise error
    for dataset in found.datasets.values():
        try_out(dataset)
    if not found.datasets:
        raise no_datasets(settings)
    return f"{len(found.datasets)} datasets are declared"


def _hash_key(lake: Lake) -> str:
    keys = {name: key for name, dataset in lake.datasets.items() if (key := hash_key_of(dataset, lake.settings))}
    if not keys:
        return "no dataset has hashes of sensitive values"
    return f"key {next(iter(keys.values())).id}, for {', '.join(keys)}"


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


def _offered(datasets: Sequence[Dataset], sources: Sources) -> str:
    found = [dataset.name for dataset in datasets if sources.of(dataset).offers(dataset)]
    if not found:
        raise no_delivery(datasets, sources)
    return ", ".join(found)


def no_delivery(datasets: Sequence[Dataset], sources: Sources) -> UsageError:
    """The error of datasets of which no source has any."""
    names = ", ".join(dataset.name for dataset in datasets)
    return UsageError(
        f"The source has none of the datasets {names}." if len(datasets) > 1 else f"The source does not have {names}.",
        where=", ".join(sources.places(datasets)),
        fix="Put the files of one into a folder of its name there, or set NEQUI_LAKE_SOURCE, or "
        "NEQUI_LAKE_SOURCE_<DATASET> for one alone. Of Kaggle, a dataset is what slug= of its declaration says.",
    )


def _catalog(lake: Lake) -> str:
    if read_identity(lake.storage) is None:
        return _NO_LAKE
    return f"{len(lake.tables())} tables are published"


def _warehouse(lake: Lake) -> str:
    return check_warehouse(lake) if lake.settings.warehouse else "no warehouse is named"


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
