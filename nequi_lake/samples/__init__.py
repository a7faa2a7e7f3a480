"""Made-up raw files: the same columns, formats and quirks as the published ones at any size, made from a seed. No IO.

A module ``<dataset>.py`` of this package has a function ``sample`` and is found by its name. Only ``sources/`` loads
it, and only where a sample is asked for; the rest of the package does not know samples.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import cast

Sample = Callable[[float, int], Mapping[str, Iterator[bytes]]]
"""(scale, seed) → raw file name → chunks of its bytes."""


def names() -> frozenset[str]:
    """The names of the datasets that have a sample. Loads none of them."""
    return frozenset(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))


def load(dataset: str) -> Sample:
    """The sample of a dataset; its module is imported now.

    Raises:
        KeyError: the dataset has no sample.
    """
    if dataset not in names():
        raise KeyError(dataset)
    return cast("Sample", importlib.import_module(f"{__name__}.{dataset}").sample)
