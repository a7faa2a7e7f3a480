"""The datasets that a command was given by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nequi_lake.errors import UsageError

if TYPE_CHECKING:
    from nequi_lake.datasets.spec import Dataset
    from nequi_lake.lake.read.reader import Lake


def named(lake: Lake, names: Sequence[str]) -> list[Dataset]:
    """The datasets of these names; all of the lake's where there are none.

    Raises:
        UsageError: the lake has no such dataset.
    """
    from nequi_lake.lake.declared import declarations

    unknown = [name for name in names if name not in lake.datasets]
    if unknown and unknown[0] in (broken := declarations(lake.settings).broken):
        raise broken[unknown[0]]
    if unknown:
        raise UsageError(f"There is no dataset {unknown[0]}.", fix=f"Name some of: {', '.join(lake.datasets)}.")
    return [lake.datasets[name] for name in names or lake.datasets]
