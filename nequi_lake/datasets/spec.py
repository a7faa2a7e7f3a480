"""The words in which a dataset is declared: tables, marts, dataset. Its raw files are declared by their format.

Frozen values that say WHAT; nothing here reads or writes, and nothing here knows a particular dataset.
"""

from __future__ import annotations

from nequi_lake.datasets.dataset import ColumnOrigin, Dataset, MartGroup, ReleaseGroup
from nequi_lake.datasets.relation import (
    RAW_ZONE,
    Mart,
    Partition,
    Reference,
    Relation,
    Source,
    Table,
    Transform,
    Volume,
    identity,
)
from nequi_lake.datasets.validation import INDEX, RESERVED

__all__ = [
    "INDEX",
    "RAW_ZONE",
    "RESERVED",
    "ColumnOrigin",
    "Dataset",
    "Mart",
    "MartGroup",
    "Partition",
    "Reference",
    "Relation",
    "ReleaseGroup",
    "Source",
    "Table",
    "Transform",
    "Volume",
    "identity",
]
