"""The words in which a dataset is declared: raw files, tables, marts, dataset.

Frozen values that say WHAT; nothing here reads or writes, and nothing here knows a particular dataset.
"""

from __future__ import annotations

from nequi_lake.datasets.dataset import ColumnOrigin, Dataset, ReleaseGroup
from nequi_lake.datasets.files import POSITION_IN_SESSION, RECORD, CsvFile, JsonLinesFile, RawFile
from nequi_lake.datasets.relation import RAW_ZONE, Mart, Partition, Relation, Source, Table, Transform, identity
from nequi_lake.datasets.validation import INDEX, RESERVED

__all__ = [
    "INDEX",
    "POSITION_IN_SESSION",
    "RAW_ZONE",
    "RECORD",
    "RESERVED",
    "ColumnOrigin",
    "CsvFile",
    "Dataset",
    "JsonLinesFile",
    "Mart",
    "Partition",
    "RawFile",
    "Relation",
    "ReleaseGroup",
    "Source",
    "Table",
    "Transform",
    "identity",
]
