"""A data lake: raw files kept as they came, contract-keeping Parquet tables, a report for each."""

from __future__ import annotations

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
    from nequi_lake.lake.reader import Lake, LakeTable

__all__ = ["Lake", "LakeTable"]


def __getattr__(name: str) -> Any:
    # The reader brings Polars and PyIceberg with it, which `nequi-lake --help` need not wait for.
    if name in __all__:
        from nequi_lake.lake import reader

        return getattr(reader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
