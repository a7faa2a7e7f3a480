"""A dataset for tests, of one raw file of any format with the columns ``id`` and ``value``, and one table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import dataframely as dy

from nequi_lake import Lake
from nequi_lake.datasets.contract import Sensitive, column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.formats import RawFile
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import released


def things(
    file: RawFile,
    column: Callable[..., dy.Column] = dy.Int64,
    *,
    limit: float = 0.9,
    null_tokens: tuple[str, ...] = (),
    source: str = "value",
    sensitive: Sensitive | None = None,
) -> Dataset:
    """The dataset, whose table has a value of this type."""
    key = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="id"))
    value = column(
        nullable=True,
        description="Some value.",
        metadata=column_meta(unit="x", source=source, null_limit=1.0, null_tokens=null_tokens, sensitive=sensitive),
    )
    contract = type("Things", (dy.Schema,), {"id": key, "value": value})
    return Dataset(
        name="things",
        slug="nobody/things",
        title="Things",
        licence="none",
        use_case="Tests.",
        files=(file,),
        tables=(Table(name="things", description="Things.", contract=contract, quarantine_limit=limit),),
    )


def lake_of(dataset: Dataset, folder: Path, write: Mapping[str, Callable[[Path], object]]) -> Lake:
    """A lake of this dataset, not filled yet; the files that its source has are written by these functions."""
    for name, make in write.items():
        path = folder / "in" / dataset.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(folder / "lake"), "NEQUI_LAKE_SOURCE": str(folder / "in")})
    return Lake(settings, {dataset.name: dataset})


def filled(dataset: Dataset, folder: Path, write: Mapping[str, Callable[[Path], object]]) -> Lake:
    """The same lake, with the dataset released."""
    lake = lake_of(dataset, folder, write)
    released(lake, dataset.name)
    return lake
