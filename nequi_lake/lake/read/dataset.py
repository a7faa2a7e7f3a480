"""A dataset of the lake, of which each table is an attribute and an item."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nequi_lake.datasets.spec import Dataset
    from nequi_lake.lake.read.table import LakeTable


class LakeOfDataset(Protocol):
    """What a dataset asks of the lake that it is read from."""

    def html(self, datasets: Collection[str]) -> str:
        """What a notebook shows of the published tables of these datasets."""
        ...

    def table(self, name: str) -> LakeTable:
        """The table ``<dataset>.<table>``."""
        ...


class LakeDataset:
    """A dataset of the lake: ``dataset.loans`` and ``dataset["loans"]`` are its tables.

    ``for name in dataset`` gives the names of the tables and marts, published or not.
    """

    # Few names of its own, so that each table can be an attribute.
    __slots__ = ("_dataset", "_lake")

    def __init__(self, lake: LakeOfDataset, dataset: Dataset) -> None:
        self._lake = lake
        self._dataset = dataset

    def __repr__(self) -> str:
        return f"LakeDataset({self._dataset.name}: {', '.join(self._names())})"

    def _repr_html_(self) -> str:
        return self._lake.html([self._dataset.name])

    def __getattr__(self, name: str) -> LakeTable:
        if name.startswith("_") or name not in self._names():
            raise AttributeError(f"{self._dataset.name} has no table {name}; it has {', '.join(self._names())}")
        return self[name]

    def __getitem__(self, name: str) -> LakeTable:
        return self._lake.table(f"{self._dataset.name}.{name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._names()]

    def _ipython_key_completions_(self) -> list[str]:
        return self._names()

    def _names(self) -> list[str]:
        return [table.name for table in self._dataset.relations]
