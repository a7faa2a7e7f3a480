"""A data lake: raw files kept as they came, contract-keeping Parquet tables, a report for each.

``from nequi_lake import …`` offers the words in which datasets are declared, and the lake for reading. Each name is
loaded when it is first used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# Arrow's own allocators keep what a large query needed, so that the steps of a run add up; the system's gives it back.
# It is asked for when Arrow is first imported.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
# Polars gives memory back to the system half a second after its use, only to ask for it again. It reads a CSV file in
# blocks of which several are under way at once. Both are asked for when Polars is first imported.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:3000,muzzy_decay_ms:0")
os.environ.setdefault("POLARS_CSV_CHUNK_SIZE", "4000000")

if TYPE_CHECKING:
    from nequi_lake.datasets.contract import column_meta, copy_column, one_of
    from nequi_lake.datasets.spec import Dataset, Mart, Partition, Reference, Table, Volume
    from nequi_lake.formats import (
        PLACE_IS_UNCERTAIN,
        POSITION_IN_SESSION,
        RECORD,
        CsvFile,
        JsonLinesFile,
        OpaqueFile,
        ParquetFile,
        WorkbookFile,
    )
    from nequi_lake.lake.read.reader import Lake
    from nequi_lake.lake.read.table import LakeTable

__all__ = [
    "PLACE_IS_UNCERTAIN",
    "POSITION_IN_SESSION",
    "RECORD",
    "CsvFile",
    "Dataset",
    "JsonLinesFile",
    "Lake",
    "LakeTable",
    "Mart",
    "OpaqueFile",
    "ParquetFile",
    "Partition",
    "Reference",
    "Table",
    "Volume",
    "WorkbookFile",
    "column_meta",
    "copy_column",
    "one_of",
]

_MODULES = {
    **dict.fromkeys(("column_meta", "copy_column", "one_of"), "nequi_lake.datasets.contract"),
    **dict.fromkeys(
        ("PLACE_IS_UNCERTAIN", "POSITION_IN_SESSION", "RECORD", "CsvFile", "JsonLinesFile"), "nequi_lake.formats"
    ),
    **dict.fromkeys(("OpaqueFile", "ParquetFile", "WorkbookFile"), "nequi_lake.formats"),
    "Lake": "nequi_lake.lake.read.reader",
    "LakeTable": "nequi_lake.lake.read.table",
}
"""Name → the module that has it, where that is not the module of the words of declarations."""


def __getattr__(name: str) -> Any:
    # These modules bring Polars and PyIceberg with them, which `nequi-lake --help` need not wait for.
    if name in __all__:
        return getattr(importlib.import_module(_MODULES.get(name, "nequi_lake.datasets.spec")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
