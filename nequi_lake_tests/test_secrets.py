"""A canary: the password of the catalog's database is in no output, log, record or metadata of any command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CANARY = "c4n4ry/pass word"
ENCODED = "c4n4ry%2Fpass%20word"
PROGRAM = [sys.executable, "-c", "from nequi_lake.cli import program; program()"]
COMMANDS = {
    "doctor": ["doctor"],
    "doctor as JSON": ["doctor", "--format", "json"],
    "run": ["run", "cite_sum"],
    "tables": ["tables"],
    "sql": ["sql", "SELECT * FROM cite_sum.papers"],
    "history": ["history", "cite_sum.papers"],
    "quarantine": ["quarantine", "cite_sum.papers"],
    "rollback": ["rollback", "cite_sum", "0123456"],
    "maintain": ["maintain"],
    "catalog rebuild": ["catalog", "rebuild"],
    "a failure with its traceback": ["--debug", "tables"],
}
URIS = {
    "a password": f"postgresql+psycopg2://me:{ENCODED}@127.0.0.1:9/lake",
    "a password in the query": f"postgresql+psycopg2://127.0.0.1:9/lake?user=me&password={ENCODED}",
}


def of_secret(text: str) -> list[str]:
    """The lines of a text that have the password, in any of its forms."""
    return [line for line in text.splitlines() if "c4n4ry" in line]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment of a lake whose catalog's database is not there, recorded by Dagster."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    lake = tmp_path / "lake"
    lake.mkdir()
    # A lake that has its identity, so that every command asks the catalog.
    (lake / "lake.json").write_text('{"id": "0123", "format": 2}')
    return {
        **os.environ,
        "NEQUI_LAKE_URI": str(lake),
        "NEQUI_LAKE_SAMPLE_SCALE": "0.001",
        "DAGSTER_HOME": str(home),
    }


@pytest.mark.long
@pytest.mark.parametrize("uri", URIS.values(), ids=URIS)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_command_says_the_password(env: dict[str, str], command: list[str], uri: str) -> None:
    done = subprocess.run(
        [*PROGRAM, *command], env={**env, "NEQUI_LAKE_CATALOG_URI": uri}, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1, 2)
    assert of_secret(done.stdout + done.stderr) == []


@pytest.mark.long
def test_no_record_of_dagsters_has_the_password(env: dict[str, str], tmp_path: Path) -> None:
    env["NEQUI_LAKE_CATALOG_URI"] = URIS["a password"]
    command = [str(Path(sys.executable).with_name("dagster")), "asset", "materialize", "-m", "nequi_lake.definitions"]
    done = subprocess.run(
        [*command, "--select", "group:cite_sum"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert of_secret(done.stdout + done.stderr) == []
    holding = [
        str(path)
        for folder in (env["DAGSTER_HOME"], env["NEQUI_LAKE_URI"])
        for path in Path(folder).rglob("*")
        if path.is_file() and b"c4n4ry" in path.read_bytes()
    ]
    assert holding == []
    assert CANARY not in done.stdout
