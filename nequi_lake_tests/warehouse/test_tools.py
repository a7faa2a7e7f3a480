"""What people connect to a warehouse that a run has loaded: Dagster's records of it, psql, SQLAlchemy, pandas, dbt."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dagster import AssetCheckKey, AssetKey, DagsterInstance
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from sqlalchemy import create_engine, inspect, text

from nequi_lake import Lake
from nequi_lake.lake.declared import discover
from nequi_lake.lake.settings import Settings
from nequi_lake.warehouse.verify import EQUALS_LAKE
from nequi_lake_tests.postgres import Database, new_database
from nequi_lake_tests.test_secrets import PROGRAM, holding, of_secret

ROOT = Path(__file__).parents[2]
DBT = ROOT / ".venv-tools" / "dbt" / "bin" / "dbt"
MODEL = """
select g.grade, count(*) as loans, sum(f.funded_usd) as amount
from {{ source('credit_risk', 'fact_loan') }} f join {{ source('credit_risk', 'dim_grade') }} g using (grade_key)
group by 1
"""

pytestmark = pytest.mark.postgres


@dataclass(frozen=True)
class Loaded:
    """A warehouse that one run of the whole sample lake has loaded.

    Attributes:
        database: the warehouse.
        environment: the settings of the lake.
        run: how the run ended.
        instance: Dagster's records of it.
    """

    database: Database
    environment: Mapping[str, str]
    run: subprocess.CompletedProcess[str]
    instance: DagsterInstance

    @property
    def lake(self) -> Lake:
        """The lake."""
        return Lake(Settings.from_env(self.environment))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    folder = tmp_path_factory.mktemp("tools")
    home = folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with new_database() as database, DagsterInstance.from_config(str(home)) as instance:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NEQUI_LAKE_")},
            "NEQUI_LAKE_URI": str(folder / "lake"),
            "NEQUI_LAKE_SAMPLE_SCALE": "0.002",
            "NEQUI_LAKE_WAREHOUSE": database.changed(drivername="postgresql").replace(" ", "%20"),
            "DAGSTER_HOME": str(home),
        }
        run = subprocess.run([*PROGRAM, "run"], env=environment, capture_output=True, text=True, check=False)
        yield Loaded(database, environment, run, instance)


def test_a_run_loads_every_relation_and_checks_it(loaded: Loaded) -> None:
    assert loaded.run.returncode == 0, loaded.run.stderr
    for dataset in discover().values():
        for relation in dataset.relations:
            key = AssetKey(["warehouse", dataset.name, relation.name])
            event = loaded.instance.get_latest_materialization_event(key)
            assert event is not None, key
            assert event.asset_materialization is not None
            rows = event.asset_materialization.metadata["dagster/row_count"].value
            assert rows == len(loaded.lake[dataset.name][relation.name])
            check = AssetCheckKey(key, EQUALS_LAKE)
            (record,) = loaded.instance.event_log_storage.get_asset_check_execution_history(check, limit=2)
            assert record.status is AssetCheckExecutionRecordStatus.SUCCEEDED


def test_nothing_that_a_run_writes_has_the_warehouses_password(loaded: Loaded) -> None:
    assert of_secret(loaded.run.stdout + loaded.run.stderr) == []
    assert holding(loaded.environment["DAGSTER_HOME"], loaded.environment["NEQUI_LAKE_URI"]) == []


@pytest.mark.parametrize(
    "command", [["warehouse", "status"], ["warehouse", "load"], ["doctor"], ["--debug", "run", "cite_sum"]]
)
@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_no_command_says_the_warehouses_password(loaded: Loaded, command: list[str], right: bool) -> None:
    wrong = loaded.database.changed(drivername="postgresql", password="c4n4ry/wrong word").replace(" ", "%20")
    environment = {**loaded.environment, **({} if right else {"NEQUI_LAKE_WAREHOUSE": wrong})}
    done = subprocess.run([*PROGRAM, *command], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is right, done.stderr
    assert of_secret(done.stdout + done.stderr) == []
    assert holding(environment["DAGSTER_HOME"], environment["NEQUI_LAKE_URI"]) == []


def test_psql_reads_it(loaded: Loaded) -> None:
    url = loaded.database.url
    environment = {**os.environ, "PGPASSWORD": str(url.password)}
    address = ["--host", str(url.host), "--port", str(url.port), "--username", str(url.username), str(url.database)]
    done = subprocess.run(
        ["psql", *address, "--csv", "--command", "SELECT count(*) AS loans FROM credit_risk.loans"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["loans", str(len(loaded.lake["credit_risk"]["loans"]))]


def test_sqlalchemy_finds_keys_references_and_comments(loaded: Loaded) -> None:
    engine = create_engine(loaded.database.uri)
    found = inspect(engine)
    fact = discover()["credit_risk"].relation("fact_loan")
    assert set(found.get_table_names("credit_risk")) == {one.name for one in discover()["credit_risk"].relations}
    assert found.get_pk_constraint("fact_loan", "credit_risk")["constrained_columns"] == list(fact.key)
    references = {
        (tuple(one["constrained_columns"]), one["referred_table"])
        for one in found.get_foreign_keys("fact_loan", "credit_risk")
    }
    assert references == {(reference.columns, reference.to) for reference in fact.foreign_keys}
    assert found.get_table_comment("fact_loan", "credit_risk")["text"] == fact.description
    engine.dispose()


def test_pandas_reads_what_the_lake_has(loaded: Loaded) -> None:
    engine = create_engine(loaded.database.uri)
    with engine.connect() as connection:
        frame = pd.read_sql(text("SELECT * FROM cite_sum.papers ORDER BY paper_id"), connection)
    engine.dispose()
    mine = loaded.lake["cite_sum"]["papers"].to_polars().sort("paper_id").rows()
    assert [tuple(row) for row in frame.itertuples(index=False)] == mine


def test_dbt_builds_on_its_sources(loaded: Loaded, tmp_path: Path) -> None:
    project(tmp_path, loaded)
    done = dbt(tmp_path, loaded)
    assert done.returncode == 0, done.stdout
    passed = Counter(one["status"] for one in results(tmp_path))
    assert passed.keys() == {"pass", "success"}
    not_null = sum(
        not column.nullable
        for dataset in discover().values()
        for relation in dataset.relations
        for column in relation.published.values()
    )
    assert passed["pass"] > not_null


def test_a_test_of_dbts_sees_what_a_contract_forbids(loaded: Loaded, tmp_path: Path) -> None:
    project(tmp_path, loaded)
    loaded.database.do("UPDATE credit_risk.loans SET grade = 'Z' WHERE grade = 'A'")
    try:
        done = dbt(tmp_path, loaded, "--select", "source:credit_risk.loans")
    finally:
        loaded.database.do("UPDATE credit_risk.loans SET grade = 'A' WHERE grade = 'Z'")
    assert done.returncode == 1
    (failed,) = [one for one in results(tmp_path) if one["status"] != "pass"]
    assert "accepted_values" in failed["unique_id"]
    assert "grade" in failed["compiled_code"]


def project(folder: Path, loaded: Loaded) -> None:
    """Make a project of dbt with the lake's sources and one model."""
    (folder / "models").mkdir(exist_ok=True)
    sources = subprocess.run(
        [*PROGRAM, "warehouse", "dbt"], env=loaded.environment, capture_output=True, text=True, check=True
    ).stdout
    (folder / "models" / "sources.yml").write_text(sources)
    (folder / "models" / "grades.sql").write_text(MODEL)
    (folder / "dbt_project.yml").write_text(
        "name: of_the_lake\nversion: '1.0'\nprofile: warehouse\nflags: {send_anonymous_usage_stats: false}\n"
    )
    url = loaded.database.url
    target = {"type": "postgres", "host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    profile = {**target, "password": url.password, "schema": "dbt", "threads": 2}
    (folder / "profiles.yml").write_text(json.dumps({"warehouse": {"target": "dev", "outputs": {"dev": profile}}}))


def dbt(folder: Path, loaded: Loaded, *options: str) -> subprocess.CompletedProcess[str]:
    """Build a project, with deprecated words taken for errors."""
    assert DBT.exists(), "There is no dbt: make .venv-tools/dbt/.ready"
    command = [str(DBT), "--warn-error", "build", "--project-dir", str(folder), "--profiles-dir", str(folder), *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def results(folder: Path) -> list[dict[str, Any]]:
    """What came of each model and test of the last build of a project."""
    found: list[dict[str, Any]] = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    return found
