"""Profiles every column of the published tables of credit_risk, and makes their reports."""

import nequi_lake.lake.catalog.catalog  # noqa: F401 - the lake imports it, and PyIceberg with it, when first needed
from benchmarks.clock import part
from nequi_lake.lake.declared import discover
from nequi_lake.lake.read.reader import Lake
from nequi_lake.profiling.profile import profile
from nequi_lake.profiling.report import report


def main() -> None:
    lake = Lake.from_env()
    for declared in discover()["credit_risk"].tables:
        with part("profile"):
            table = lake.table(f"credit_risk.{declared.name}")
            statistics = profile(table)
        with part("pages"):
            report(table, statistics, checks=(), earlier=None).files()


if __name__ == "__main__":
    main()
