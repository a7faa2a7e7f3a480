"""The id of a release: a fingerprint of all that makes its rows.

It covers the raw files or tables, the declaration, its expressions, the modules that the declaration comes from with
the helper modules that they import, and one number for the rules of staging that all engines share. It does not cover
comments, docstrings, blank lines and the Python version. :data:`STAGING_RULES` and :data:`MART_RULES` are to be raised
whenever the same input gives other rows; a test on fixed inputs notices where that was forgotten.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import io
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from nequi_lake.datasets.sensitive import HashKey
from nequi_lake.datasets.spec import Dataset, MartGroup, Relation, Table
from nequi_lake.engines.duckdb import sql_of
from nequi_lake.formats import RawFile
from nequi_lake.lake.raw_file import RawFileVersion

STAGING_RULES = 3
"""The number of the rules by which raw records become rows of tables, whichever engine stages them."""
MART_RULES = 1
"""The number of the rules by which the rows of a query become a mart."""

_LANGUAGE = ("nequi_lake.datasets.spec", "nequi_lake.datasets.rules")
"""The modules in whose words a dataset is declared; they and what they import are covered by the numbers above."""

_INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Folders of installed packages."""


def release_id(dataset: Dataset, files: Iterable[RawFileVersion], hash_key: HashKey | None = None) -> str:
    """Return 12 hexadecimal digits that change with all that makes the rows of a dataset's tables.

    Args:
        dataset: whose tables.
        files: the raw files.
        hash_key: of the hashes that stand for sensitive values; None where no column has any.
    """
    parts = [f"staging {STAGING_RULES}", *([f"hash key {hash_key.id}"] if hash_key else [])]
    parts += [f"{file.file} {file.sha256}" for file in sorted(files, key=lambda file: file.file)]
    for declared in dataset.readable_files:
        parts += _raw_file(declared)
    for table in dataset.tables:
        parts += _table(table)
    roots = {table.contract.__module__ for table in dataset.tables}
    roots |= {_module_of(table.transform) for table in dataset.tables}
    of_marts = {mart.contract.__module__ for mart in dataset.marts}
    return _digest([*parts, *_sources(roots, without=of_marts - roots)])


def mart_release_id(group: MartGroup, source_release: str, others: Iterable[str] = ()) -> str:
    """Return 12 hexadecimal digits that change with the tables' releases, the marts' SQL, contracts and rules.

    Args:
        group: the marts.
        source_release: the id of the release of their dataset that they are made from.
        others: dataset and id of the releases of other datasets.
    """
    parts = [f"mart {MART_RULES}", source_release, *sorted(others)]
    for mart in group.relations:
        parts += [without_sql_comments(sql_of(mart)), *_relation(mart)]
    return _digest([*parts, *_sources({mart.contract.__module__ for mart in group.relations})])


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _raw_file(file: RawFile) -> Iterator[str]:
    yield f"{type(file).__name__} {file.name} {file.field_paths} {sorted(file.constants.items())}"
    if file.session_by is not None:
        yield f"sessions by {file.session_by}"
    yield from (f"{name} {value!r}" for name, value in file.declared() if name not in _IN_WORDS)


_IN_WORDS = frozenset({field.name for field in fields(RawFile)} | {"columns", "optional"})
"""What of a raw file's declaration changes no row, or is covered by other words."""


def _relation(relation: Relation) -> Iterator[str]:
    yield f"{relation.name} {relation.partition_by}"
    yield from (f"references {reference}" for reference in relation.references)
    for column in relation.columns.values():
        origin = (column.source, column.derived_from, column.null_tokens, column.format)
        yield f"{column.name} {column.dtype} {column.nullable} {origin} {column.constraint_texts}"
        if column.sensitive:
            yield f"{column.name} {column.sensitive}"


def _table(table: Table) -> Iterator[str]:
    yield from _relation(table)
    yield f"{table.group_by} {table.explode} {table.files}"
    if table.on_duplicate != "quarantine":
        yield f"of a key the {table.on_duplicate} by {table.latest_by}"
    for name, expression in table.parse.items():
        yield f"{name} {_expression(expression)}"


def _expression(expression: pl.Expr) -> str:
    """An expression in full; one that calls a Python function as far as it is printed, as its module is covered."""
    try:
        text = expression.meta.serialize(format="json")
    except pl.exceptions.PolarsError:
        return str(expression)
    return str(expression) if "python" in text.lower() or "Anonymous" in text else text


def _module_of(function: Callable[..., Any]) -> str:
    """The module of a function, also where it is wrapped in a partial."""
    return str(getattr(getattr(function, "func", function), "__module__", ""))


def _sources(roots: Iterable[str], *, without: Iterable[str] = ()) -> list[str]:
    """The normalised source of the roots and of all modules beside them that they import, in the order of names."""
    language = set(_closure(_LANGUAGE, lambda name: name.startswith("nequi_lake.datasets.")))
    roots = [name for name in roots if name in sys.modules and name not in language]
    left_out = {*without, *language}
    tops = {name.split(".")[0] for name in roots} - {"nequi_lake"}
    beside = {Path(file).parent for name in roots if (file := sys.modules[name].__file__)}
    below = {Path(folder) for top in tops if top in sys.modules for folder in getattr(sys.modules[top], "__path__", ())}

    def is_own(name: str) -> bool:
        if name in left_out:
            return False
        if name.startswith("nequi_lake."):
            return name.startswith("nequi_lake.datasets.")
        file = getattr(sys.modules[name], "__file__", None)
        if name.split(".")[0] in tops or file is None:
            return name.split(".")[0] in tops
        return Path(file).parent in beside or any(_is_below(folder, Path(file)) for folder in below)

    return [f"{name}\n{text}" for name, text in sorted(_closure(roots, is_own).items())]


def _is_below(folder: Path, file: Path) -> bool:
    """Whether a file is in a folder, and not in an environment of installed packages that lies there too."""
    return file.is_relative_to(folder) and not _INSTALLED & {*file.relative_to(folder).parts}


def _closure(roots: Iterable[str], is_own: Callable[[str], bool]) -> Mapping[str, str]:
    """Module → normalised source, of the roots and all own modules that these import, directly or not."""
    found: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        module = sys.modules[name]
        source = _source(module)
        found[name] = normalised(source)
        imported = _imported(source, name, hasattr(module, "__path__"))
        waiting += [each for each in imported if each in sys.modules and is_own(each)]
    return found


def _source(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        # Typed at a prompt, or empty.
        return ""


@lru_cache(maxsize=256)
def _imported(source: str, name: str, is_package: bool) -> tuple[str, ...]:
    """The names of the modules that a module imports, and of what it imports from them, which may be modules too."""
    package = name if is_package else name.rpartition(".")[0]
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            found += (base, *(f"{base}.{alias.name}" for alias in node.names))
    return tuple(found)


@lru_cache(maxsize=256)
def normalised(source: str) -> str:
    """Python source without comments, docstrings, blank lines and trailing spaces; the same on every Python version."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                lines[number - 1] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def without_sql_comments(sql: str) -> str:
    """A query without its comments and blank lines; what stands between quotes stays as it is."""
    found, at = [], 0
    while at < len(sql):
        if sql[at] in "'\"":
            end = sql.find(sql[at], at + 1) + 1 or len(sql)
        elif sql.startswith("--", at):
            at = sql.find("\n", at) if "\n" in sql[at:] else len(sql)
            continue
        elif sql.startswith("/*", at):
            at = sql.find("*/", at) + 2 if "*/" in sql[at:] else len(sql)
            continue
        else:
            end = at + 1
        found.append(sql[at:end])
        at = end
    return "\n".join(line.rstrip() for line in "".join(found).splitlines() if line.strip())
