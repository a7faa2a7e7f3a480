"""Drafts of small files, loaded and tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from nequi_lake.datasets.spec import Dataset
from nequi_lake.drafting.draft import draft
from nequi_lake.lake.declared import declarations
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.trial import Trial, source_at, try_dataset

Draft = Callable[[str], Dataset]
"""Drafts a dataset of the files in a folder of its name, and loads the module."""


def loaded(name: str, module: str, folder: Path) -> Dataset:
    """The dataset that a module declares, which is written into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(module)
    found = declarations(Settings.from_env({"NEQUI_LAKE_DATASETS": str(folder)}))
    assert not found.broken, found.broken
    return found.datasets[name]


def drafted(name: str, folder: Path) -> Dataset:
    """The dataset that is drafted of the files in ``folder``/<name>."""
    return loaded(name, draft(name, sorted((folder / name).iterdir()), {}), folder / "datasets")


def tried(dataset: Dataset, folder: Path) -> Trial:
    """What a run would make of the files in a folder."""
    with source_at(dataset, folder) as source:
        return try_dataset(dataset, source)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    """A file with this content."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def types_of(dataset: Dataset, table: str) -> Mapping[str, tuple[str, str | None]]:
    """Column → its type and how it is written."""
    columns = dataset.table(table).columns.values()
    return {column.name: (str(column.dtype), column.format) for column in columns}
