"""A PostgreSQL server to load into, and what was loaded."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import psycopg

from benchmarks.equal import Facts, Written
from benchmarks.measure import ROOT
from benchmarks.task import DATASET
from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.spec import Table
from nequi_lake.lake.declared import discover
from nequi_lake.lake.read.query import quoted

_SCRIPT = str(ROOT / "scripts" / "postgres")


class Databases:
    """A PostgreSQL server, which the first use starts.

    Args:
        folder: all that it writes.
    """

    def __init__(self, folder: Path) -> None:
        self._environment = {**os.environ, "NEQUI_POSTGRES_DIR": str(folder)}

    def new(self, name: str) -> str:
        """The address of a new and empty database."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)".encode())
            connection.execute(f"CREATE DATABASE {quoted(name)}".encode())
        return self.address(name)

    def address(self, name: str) -> str:
        """The address of a database."""
        return f"{self._server.rpartition('/')[0]}/{name}"

    def stop(self) -> None:
        """Stop the server where it was started; what it has is gone."""
        if "_server" in vars(self):
            self._call("stop")

    @cached_property
    def _server(self) -> str:
        self._call("install")
        self._call("start")
        return self._call("env").strip().partition("=")[2].replace("+psycopg2", "")

    def _call(self, step: str) -> str:
        done = subprocess.run([_SCRIPT, step], env=self._environment, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout


def loaded_in(database: str) -> Written:
    """What a database has of the four tables, in figures that do not depend on the types that it was loaded with."""
    with psycopg.connect(database) as connection:
        return {table.name: _facts(connection, table) for table in discover()[DATASET].tables}


def _facts(connection: psycopg.Connection, table: Table) -> Mapping[str, Facts]:
    figures = ", ".join(
        f"count(*) - count({quoted(name)}), sum({_figure(quoted(name), column)})::float8"
        for name, column in table.columns.items()
    )
    row = connection.execute(f"SELECT count(*), {figures} FROM {quoted(DATASET, table.name)}".encode()).fetchone()
    assert row is not None
    return {
        name: Facts("", row[0], row[1 + 2 * place], row[2 + 2 * place] or 0.0)
        for place, name in enumerate(table.columns)
    }


def _figure(name: str, column: Column) -> str:
    return f"{name}::float8" if column.dtype.is_numeric() else f"length({name}::text)"
