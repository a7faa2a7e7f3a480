"""The datasets that a lake may hold: the package's own, those of installed packages, and those of a folder.

A module that defines ``DATASET`` declares a dataset of the module's name. Each is loaded by itself: one that cannot be
costs its own dataset.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import nequi_lake.datasets
from nequi_lake.datasets.relation import in_dataset
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import DeclarationError, UsageError
from nequi_lake.lake.settings import Settings

ENTRY_POINTS = "nequi_lake.datasets"
"""The group of entry points by which an installed package names its datasets."""
IN_FOLDER = "nequi_lake_datasets"
"""The package that the modules of a folder are imported as, so that no name of theirs hides an installed module."""


class Declarations(NamedTuple):
    """What the modules of datasets declare.

    Attributes:
        datasets: every declared dataset by name, in alphabetical order.
        broken: name of a dataset that cannot be used → why. It is left out, the others are not.
    """

    datasets: Mapping[str, Dataset]
    broken: Mapping[str, DeclarationError]


class _Place(NamedTuple):
    """Where a dataset may be declared.

    Attributes:
        name: the dataset's.
        where: the place, human-readable.
        files: what the paths of its modules have in common.
        load: imports it, and gives the dataset, or the module that may define one.
        may_help: whether it may be a helper module of others, which declares nothing.
    """

    name: str
    where: str
    files: str
    load: Callable[[], object]
    may_help: bool


def declarations(settings: Settings | None = None) -> Declarations:
    """Load every module of a dataset, whatever is wrong with another one.

    Args:
        settings: which folder has modules, and whether the package's own count; the environment's by default.

    Raises:
        UsageError: the settings name the source of a dataset that is not declared.
    """
    candidates: dict[str, list[tuple[_Place, Dataset | DeclarationError]]] = {}
    settings = settings or Settings.from_env()
    for place in _places(settings):
        declared = _declared(place, settings)
        if declared is not None:
            candidates.setdefault(place.name, []).append((place, declared))
    datasets: dict[str, Dataset] = {}
    broken: dict[str, DeclarationError] = {}
    for name, found in sorted(candidates.items()):
        declared = found[0][1] if len(found) == 1 else _clash(name, [place.where for place, _ in found])
        if isinstance(declared, Dataset):
            datasets[name] = declared
        else:
            broken[name] = declared
    for dataset in list(datasets.values()):
        problems = list(_unknown_tables(dataset, datasets))
        if problems:
            broken[dataset.name] = DeclarationError(
                f"The declaration of {dataset.name} cannot be used: {'; '.join(problems)}.",
                where=", ".join(sorted({mart.contract.__module__ for mart in dataset.marts if mart.of_others})),
                fix="Correct derived_from= of the mart, or declare what it reads.",
            )
    datasets = {name: dataset for name, dataset in datasets.items() if name not in broken}
    settings.refuse_unknown_datasets({*datasets, *broken})
    return Declarations(datasets, broken)


def discover(settings: Settings | None = None) -> Mapping[str, Dataset]:
    """Every declared dataset by name, in alphabetical order; without those that cannot be used."""
    return declarations(settings).datasets


def no_datasets(settings: Settings) -> UsageError:
    """The error of a lake that may hold nothing."""
    return UsageError(
        "No dataset is declared.",
        where=settings.datasets or f"the entry points {ENTRY_POINTS}",
        fix="Set NEQUI_LAKE_DATASETS to the folder of your modules, install a package of datasets, or unset "
        "NEQUI_LAKE_BUILT_IN.",
    )


def _places(settings: Settings) -> Iterator[_Place]:
    if settings.built_in:
        package = nequi_lake.datasets
        yield from _modules(package.__name__, package.__path__)
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: (point.name, point.value)):
        yield _Place(point.name, _of_package(point), f"/{point.module.split('.')[0]}", point.load, may_help=False)
    if settings.datasets:
        _import_from(settings.datasets)
        yield from _modules(IN_FOLDER, [settings.datasets])


def _modules(package: str, folders: Iterable[str]) -> Iterator[_Place]:
    """The modules and packages in folders, but for those whose name begins with ``_``."""
    for folder in folders:
        for info in pkgutil.iter_modules([folder]):
            if not info.name.startswith("_"):
                path = f"{folder}/{info.name}" + ("/__init__.py" if info.ispkg else ".py")
                within = f"{folder}/" if package == IN_FOLDER else f"{folder}/{info.name}"
                load = partial(importlib.import_module, f"{package}.{info.name}")
                yield _Place(info.name, path, within, load, may_help=True)


def _of_package(point: EntryPoint) -> str:
    package = f" of the package {point.dist.name} {point.dist.version}" if point.dist else ""
    return f"the entry point {point.name} = {point.value}{package}"


def _import_from(folder: str) -> None:
    """Let the modules of a folder be imported as those of one package, and by each other under their own names.

    A process knows the modules of one folder at a time.
    """
    known = sys.modules.get(IN_FOLDER)
    before = next(iter(known.__path__)) if known else None
    if before == folder:
        return
    if before:
        sys.path[:] = [path for path in sys.path if path != before]
        for name, module in list(sys.modules.items()):
            if name.split(".")[0] == IN_FOLDER or _is_in(before, getattr(module, "__file__", None)):
                del sys.modules[name]
    spec = ModuleSpec(IN_FOLDER, None, is_package=True)
    spec.submodule_search_locations = [folder]
    sys.modules[IN_FOLDER] = importlib.util.module_from_spec(spec)
    # At the end, so that a helper hides no installed module.
    sys.path.append(folder)
    importlib.invalidate_caches()


def _is_in(folder: str, file: str | None) -> bool:
    return bool(file) and Path(str(file)).is_relative_to(folder)


def _declared(place: _Place, settings: Settings) -> Dataset | DeclarationError | None:
    """The dataset that is declared there, or why it cannot be used; None where a module declares none."""
    try:
        loaded = place.load()
    except DeclarationError as error:
        return error
    except (Exception, SystemExit) as error:
        return _cannot_be_loaded(place, error)
    dataset = getattr(loaded, "DATASET", None) if isinstance(loaded, ModuleType) else loaded
    if dataset is None and place.may_help:
        return None
    if not isinstance(dataset, Dataset):
        return DeclarationError(
            f"What should be the dataset {place.name} is no Dataset: {type(dataset).__name__}.",
            where=place.where,
            fix="Let DATASET of the module be a Dataset.",
        )
    if dataset.name != place.name:
        return DeclarationError(
            f"The dataset {dataset.name} is declared under the name {place.name}.",
            where=place.where,
            fix="Call both the same.",
        )
    try:
        settings.source_of(dataset)
    except UsageError as error:
        return DeclarationError(error.what, where=place.where, fix=error.fix)
    return dataset


def _unknown_tables(dataset: Dataset, datasets: Mapping[str, Dataset]) -> Iterator[str]:
    """What the marts of a dataset read of other datasets, and is not there."""
    for mart in dataset.marts:
        for name, columns in mart.of_others.items():
            of, table = in_dataset(dataset.name, name)
            tables = {each.name: each for each in datasets[of].tables} if of in datasets else {}
            if of == dataset.name or name.count(".") > 1:
                yield f"the mart {mart.name} reads {name}, where <table> or <dataset>.<table> of another one stands"
            elif of not in datasets:
                yield f"the mart {mart.name} reads {name}, and there is no dataset {of}"
            elif table not in tables:
                yield f"the mart {mart.name} reads {name}, which is no table of {of}"
            else:
                unknown = [column for column in columns if column not in tables[table].published]
                yield from (
                    f"the mart {mart.name} reads {column} of {name}, which has no such column" for column in unknown
                )


def _clash(name: str, places: list[str]) -> DeclarationError:
    return DeclarationError(
        f"The dataset {name} is declared {len(places)} times, so that none of them is used.",
        where="; ".join(places),
        fix="Rename or remove all but one; NEQUI_LAKE_BUILT_IN=off leaves out those of nequi_lake itself.",
    )


def _cannot_be_loaded(place: _Place, error: BaseException) -> DeclarationError:
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if place.files in frame.filename]
    where = f"{own[-1].filename}, line {own[-1].lineno}" if own else place.where
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}, line {error.lineno}"
    return DeclarationError(
        f"The module of the dataset {place.name} cannot be loaded: {type(error).__name__}: {error}",
        where=where,
        fix="Correct it there. The other datasets are not touched by it.",
    )
