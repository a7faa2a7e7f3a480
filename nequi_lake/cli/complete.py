"""What Tab completes: names of datasets and of tables, as they are declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from nequi_lake.errors import NequiLakeError

if TYPE_CHECKING:
    from nequi_lake.datasets.spec import Dataset


def dataset_names(incomplete: str) -> list[str]:
    """The names of datasets that begin so."""
    return [name for name in _declared() if name.startswith(incomplete)]


def table_names(incomplete: str) -> list[str]:
    """The names ``<dataset>.<table>`` that begin so."""
    return [name for name in _tables() if name.startswith(incomplete)]


def _tables() -> Iterator[str]:
    for dataset in _declared().values():
        yield from (f"{dataset.name}.{table.name}" for table in dataset.relations)


def _declared() -> Mapping[str, Dataset]:
    from nequi_lake.lake.declared import discover

    try:
        return discover()
    except NequiLakeError:
        # A setting is wrong, which the command itself says.
        return {}
