"""WHAT the lake holds: one module per dataset, found by itself. No IO and no Dagster in this package.

A dataset's module defines ``DATASET``. Adding one is adding a module here; nothing else is edited.
"""

from __future__ import annotations

import importlib
import pkgutil

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import DeclarationError


def discover() -> dict[str, Dataset]:
    """Every declared dataset by name, in alphabetical order.

    Raises:
        DeclarationError: two modules declare the same name.
    """
    found: dict[str, Dataset] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        dataset = getattr(module, "DATASET", None)
        if not isinstance(dataset, Dataset):
            continue
        if dataset.name in found:
            raise DeclarationError(f"Two modules declare the dataset {dataset.name}.", where=str(module.__file__))
        found[dataset.name] = dataset
    return found
