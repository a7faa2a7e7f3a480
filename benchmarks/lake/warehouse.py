"""Loads credit_risk into a warehouse: ``tables``, or ``all`` of it, and then the same release again."""

import sys
from dataclasses import replace

import psycopg  # noqa: F401 - the lake imports it when it first loads

from benchmarks.clock import part
from nequi_lake.lake.read.reader import Lake
from nequi_lake.warehouse.load import load


def main(what: str) -> None:
    lake = Lake.from_env()
    dataset = lake.datasets["credit_risk"]
    if what == "tables":
        dataset = replace(dataset, marts=())
    with part("load"):
        load(lake, dataset)
    if what == "all":
        with part("the same again"):
            load(lake, dataset)


if __name__ == "__main__":
    main(sys.argv[1])
