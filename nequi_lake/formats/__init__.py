"""HOW raw bytes are read: one module per raw format, each with its declaration, structure pass, repair and scan.

A format knows no dataset and no lake. Adding one is adding a module whose class has the methods of ``RawFile``.
"""

from __future__ import annotations

from nequi_lake.formats.base import (
    FOUND,
    PLACE_IS_UNCERTAIN,
    POSITION_IN_SESSION,
    RECORD,
    RawFile,
    RepairedFile,
)
from nequi_lake.formats.csv import NULL_TOKENS, CsvFile
from nequi_lake.formats.json_lines import JsonLinesFile
from nequi_lake.formats.limit import ShareLimit, UnpackLimits
from nequi_lake.formats.opaque import OpaqueFile
from nequi_lake.formats.parquet import ParquetFile
from nequi_lake.formats.structure import QUOTED, Problem, Structure
from nequi_lake.formats.text import TextFile, ValidatedRecord
from nequi_lake.formats.workbook import WorkbookFile

__all__ = [
    "FOUND",
    "NULL_TOKENS",
    "PLACE_IS_UNCERTAIN",
    "POSITION_IN_SESSION",
    "QUOTED",
    "RECORD",
    "CsvFile",
    "JsonLinesFile",
    "OpaqueFile",
    "ParquetFile",
    "Problem",
    "RawFile",
    "RepairedFile",
    "ShareLimit",
    "Structure",
    "TextFile",
    "UnpackLimits",
    "ValidatedRecord",
    "WorkbookFile",
]
