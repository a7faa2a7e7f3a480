"""The package's imports point one way, and only the Dagster layer knows Dagster."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nequi_lake

PACKAGE = Path(nequi_lake.__file__).parent
FLOORS = (
    ("redaction",),
    ("errors", "progress", "samples"),
    ("formats",),
    ("datasets",),
    ("lake",),
    ("quality", "profiling", "sources", "cloud", "drafting", "warehouse"),
    ("engines",),
    ("pipeline",),
    ("defs",),
    ("definitions", "cli"),
)
"""Rooms of the package, floor by floor. A room sees the floors below it, and no other room of its own floor but where
that is the top."""

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
TOP = len(FLOORS) - 1
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    """The room that a module stands in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST, path: Path) -> Iterator[str]:
    """The full names of all that is imported below a node of a module: ``a.b`` for both ``import a.b`` and
    ``from a import b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_of(path: Path) -> set[str]:
    """The full names of all that a module imports, at its top or inside its functions."""
    return set(imported(ast.parse(path.read_text()), path))


def imports_at_once(path: Path) -> set[str]:
    """The full names of all that a module imports when it is imported itself."""
    later = (ast.FunctionDef, ast.AsyncFunctionDef)
    body = [node for node in ast.parse(path.read_text()).body if not isinstance(node, later)]
    return {name for node in body for name in imported(node, path)}


def rooms_seen(path: Path) -> set[str]:
    """The rooms that a module imports from, its own left out."""
    names = [name.split(".") for name in imports_of(path)]
    # What the package itself offers is the reader's.
    own = {name[1] if name[1] in FLOOR else "lake" for name in names if name[0] == "nequi_lake"}
    return own - {room_of(path)}


def names_defined(path: Path) -> set[str]:
    """The names that a module gives to its classes, functions and constants."""
    body = ast.parse(path.read_text()).body
    assigned = {t.id for node in body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)}
    return assigned | {node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}


def name_of(path: Path) -> str:
    """A module's path within the package."""
    return str(path.relative_to(PACKAGE))


def test_every_module_stands_in_a_known_room() -> None:
    assert [name_of(path) for path in MODULES if room_of(path) not in FLOOR] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_from_the_floors_below(path: Path) -> None:
    own = FLOOR[room_of(path)]
    assert [room for room in rooms_seen(path) if FLOOR[room] >= own and own < TOP] == []


def test_only_the_dagster_layer_imports_dagster_as_it_loads() -> None:
    found = {
        room_of(path)
        for path in MODULES
        if any(name.split(".")[0].startswith("dagster") for name in imports_at_once(path))
    }
    assert found <= {"defs", "definitions"}
    assert "defs" in found


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) == "datasets"], ids=name_of)
def test_what_a_dataset_is_made_of_reads_and_writes_nothing(path: Path) -> None:
    outside = ("fsspec", "glob", "http", "os", "pathlib", "requests", "s3fs", "shutil", "socket", "sqlite3")
    assert {name.split(".")[0] for name in imports_of(path)} & {*outside, "subprocess", "tempfile", "urllib"} == set()
    functions = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert [call.id for call in functions if isinstance(call, ast.Name) and call.id in ("open", "print")] == []
    methods = [call.attr for call in functions if isinstance(call, ast.Attribute)]
    assert [name for name in methods if name.startswith(("scan_", "read_", "sink_"))] == []


def test_only_the_dagster_layer_imports_dagster_at_all() -> None:
    assert [
        name_of(p)
        for p in MODULES
        if room_of(p) not in ("defs", "definitions")
        and any(n.split(".")[0].startswith("dagster") for n in imports_of(p))
    ] == []


def test_only_sources_load_samples() -> None:
    assert {room_of(path) for path in MODULES if "samples" in rooms_seen(path)} == {"sources"}


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after the code."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(told.stdout.split())


def test_the_package_itself_loads_no_library() -> None:
    loaded = loaded_by("import nequi_lake")
    assert {name for name in loaded if name.split(".")[0] == "nequi_lake"} == {"nequi_lake"}
    assert loaded.isdisjoint({"polars", "pyarrow", "dataframely"})


@pytest.mark.parametrize("name", nequi_lake.__all__)
def test_a_name_that_the_package_offers_loads_neither_dagster_nor_an_engine(name: str) -> None:
    assert name in dir(nequi_lake)
    loaded = loaded_by(f"from nequi_lake import {name}")
    assert {part for part in loaded if part.startswith(("dagster", "nequi_lake.engines", "nequi_lake.defs"))} == set()
    assert loaded.isdisjoint({"duckdb", "pyspark"})


def test_a_program_that_imports_the_lake_waits_for_no_library() -> None:
    loaded = {name.split(".")[0] for name in loaded_by("from nequi_lake import Lake")}
    assert loaded.isdisjoint({"numpy", "polars", "pyarrow", "dataframely", "msgspec", "duckdb"})
    assert loaded.isdisjoint({"pyiceberg", "sqlalchemy", "fsspec", "filelock", "boto3", "dagster", "jinja2"})


def test_the_words_of_the_packages_own_datasets_are_offered() -> None:
    own = [path for path in MODULES if path.parts[-3] == "datasets"]
    imported_by_own = {name for path in own for name in imports_of(path) if name.startswith("nequi_lake.")}
    words = {name.rpartition(".")[2] for name in imported_by_own} - {path.stem for path in own}
    helpers = {word for path in own for word in names_defined(path)}
    assert {"Table", "CsvFile", "RECORD"} <= words - helpers <= set(nequi_lake.__all__)


def test_the_words_of_declarations_load_no_lake() -> None:
    words = ", ".join(name for name in nequi_lake.__all__ if name not in ("Lake", "LakeTable"))
    loaded = loaded_by(f"from nequi_lake import {words}")
    assert {name for name in loaded if name.startswith(("nequi_lake.lake", "nequi_lake.samples", "pyiceberg"))} == set()


def test_the_package_offers_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Storage'"):
        nequi_lake.Storage  # noqa: B018
