"""A data lake: raw files kept as they came, contract-keeping Parquet tables, a report for each."""

from nequi_lake.lake.reader import Lake, LakeTable

__all__ = ["Lake", "LakeTable"]
