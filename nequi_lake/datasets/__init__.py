"""WHAT the lake holds: one module per dataset, found by itself. No IO and no Dagster in this package.

A dataset's module defines ``DATASET``. Adding one is adding a module here; nothing else is edited.
"""

from __future__ import annotations

import importlib
import pkgutil
import traceback
from collections.abc import Mapping
from typing import NamedTuple

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import DeclarationError


class Declarations(NamedTuple):
    """What the modules of datasets declare.

    Attributes:
        datasets: every declared dataset by name, in alphabetical order.
        broken: name of a module that cannot be loaded → why. Its dataset is left out, the others are not.
    """

    datasets: Mapping[str, Dataset]
    broken: Mapping[str, DeclarationError]


def declarations() -> Declarations:
    """Load every module of a dataset, whatever is wrong with another one."""
    found: dict[str, Dataset] = {}
    broken: dict[str, DeclarationError] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        try:
            module = importlib.import_module(f"{__name__}.{info.name}")
        except DeclarationError as error:
            broken[info.name] = error
            continue
        except Exception as error:
            broken[info.name] = _cannot_be_loaded(info.name, error)
            continue
        dataset = getattr(module, "DATASET", None)
        if not isinstance(dataset, Dataset):
            continue
        if dataset.name in found:
            broken[info.name] = DeclarationError(
                f"Two modules declare the dataset {dataset.name}; this one is left out.", where=str(module.__file__)
            )
            continue
        found[dataset.name] = dataset
    return Declarations(found, broken)


def discover() -> Mapping[str, Dataset]:
    """Every declared dataset by name, in alphabetical order; without those whose module cannot be loaded."""
    return declarations().datasets


def _cannot_be_loaded(name: str, error: Exception) -> DeclarationError:
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if f"/{name}" in frame.filename]
    where = f"{own[-1].filename}, line {own[-1].lineno}" if own else f"{__name__}.{name}"
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}, line {error.lineno}"
    return DeclarationError(
        f"The module of the dataset {name} cannot be loaded: {type(error).__name__}: {error}",
        where=where,
        fix="Correct it there. The other datasets are not touched by it.",
    )
