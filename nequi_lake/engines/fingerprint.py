"""Which release would a run make? A fingerprint of what tables are made from, and of the code that makes them."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable

from nequi_lake.datasets.spec import Dataset, Mart
from nequi_lake.engines.duckdb import sql_of
from nequi_lake.lake.raw_file import RawFileVersion

_SHARED = (
    "nequi_lake.datasets.spec",
    "nequi_lake.datasets.contract",
    "nequi_lake.engines.duplicates",
    "nequi_lake.engines.files",
    "nequi_lake.engines.polars",
    "nequi_lake.engines.records",
    "nequi_lake.datasets.rules",
    "nequi_lake.formats.base",
    "nequi_lake.formats.csv",
    "nequi_lake.formats.csv_records",
    "nequi_lake.formats.json_lines",
)
_SHARED_BY_MARTS = ("nequi_lake.engines.duckdb", "nequi_lake.engines.files", "nequi_lake.lake.query")


def release_id(dataset: Dataset, files: Iterable[RawFileVersion]) -> str:
    """Twelve hexadecimal digits that change when a raw file, the dataset's module or the engine does."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.file):
        digest.update(f"{file.file}\0{file.sha256}\n".encode())
    own = {part.__module__ for table in dataset.tables for part in (table.contract, table.transform)}
    return _with_code(digest, own.union(_SHARED))


def mart_release_id(mart: Mart, made_from: str) -> str:
    """Twelve hexadecimal digits that change when the release of the tables, the mart's SQL or the engine does.

    Args:
        mart: the mart.
        made_from: the id of the release that it is made from, which the code of the contracts is part of.
    """
    digest = hashlib.sha256(f"{mart.name}\0{made_from}\0{sql_of(mart)}".encode())
    return _with_code(digest, {mart.contract.__module__, *_SHARED_BY_MARTS})


def _with_code(digest: hashlib._Hash, modules: Iterable[str]) -> str:
    for module in sorted(modules):
        digest.update(inspect.getsource(sys.modules[module]).encode())
    return digest.hexdigest()[:12]
