"""Which release would a run make? A fingerprint of the raw bytes and of the code that makes the tables of them."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.raw import KeptFile

_SHARED = (
    "nequi_lake.datasets.spec",
    "nequi_lake.datasets.contract",
    "nequi_lake.engines.duplicates",
    "nequi_lake.engines.polars",
    "nequi_lake.engines.records",
    "nequi_lake.datasets.rules",
    "nequi_lake.lake.damage",
    "nequi_lake.lake.lines",
)


def release_id(dataset: Dataset, files: Iterable[KeptFile]) -> str:
    """Twelve hexadecimal digits that change when a raw file, the dataset's module or the engine does."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.file):
        digest.update(f"{file.file}\0{file.sha256}\n".encode())
    own = {part.__module__ for table in dataset.tables for part in (table.contract, table.transform)}
    for module in sorted(own.union(_SHARED)):
        digest.update(inspect.getsource(sys.modules[module]).encode())
    return digest.hexdigest()[:12]
