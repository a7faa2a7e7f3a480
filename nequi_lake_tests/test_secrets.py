"""A canary: no secret is in any output, log, record or metadata of any command, nor in an alert."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nequi_lake.defs.alerts import alert
from nequi_lake.lake.declared import discover
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.aws import Mailbox
from nequi_lake_tests.conftest import motor_rows, write_motor
from nequi_lake_tests.postgres import Database
from nequi_lake_tests.sources.kaggle_stand_in import KaggleStandIn

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


DAGSTER = str(Path(sys.executable).with_name("dagster"))
MATERIALIZE = [DAGSTER, "asset", "materialize", "-m", "nequi_lake.definitions"]


def holding(*folders: str) -> list[str]:
    """The files below folders that have the secret."""
    return [
        str(path)
        for folder in folders
        for path in Path(folder).rglob("*")
        if path.is_file() and b"c4n4ry" in path.read_bytes()
    ]


@pytest.mark.long
def test_no_record_of_dagsters_has_the_password(env: dict[str, str], tmp_path: Path) -> None:
    env["NEQUI_LAKE_CATALOG_URI"] = URIS["a password"]
    done = subprocess.run(
        [*MATERIALIZE, "--select", "group:cite_sum"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert of_secret(done.stdout + done.stderr) == []
    assert holding(env["DAGSTER_HOME"], env["NEQUI_LAKE_URI"]) == []
    assert CANARY not in done.stdout


def everything_with_the_right_password(env: dict[str, str]) -> None:
    """Every command does its work, and so does Dagster; none of them says or writes the secret."""
    Path(env["NEQUI_LAKE_URI"], "lake.json").unlink()
    first = [[*PROGRAM, "run", "cite_sum"], [*MATERIALIZE, "--select", "group:cite_sum"]]
    done = {}
    for command in [*first, *([*PROGRAM, *command] for command in COMMANDS.values())]:
        ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert of_secret(ended.stdout + ended.stderr) == [], command
        done[" ".join(command[len(PROGRAM) :])] = ended.returncode
    # Of all these, only a rollback to a release that is not there fails.
    assert {command for command, code in done.items() if code} == {"rollback cite_sum 0123456"}
    assert holding(env["DAGSTER_HOME"], env["NEQUI_LAKE_URI"]) == []


@pytest.mark.postgres
def test_what_works_does_not_say_the_password_of_a_server(env: dict[str, str], database: Database) -> None:
    everything_with_the_right_password({**env, "NEQUI_LAKE_CATALOG_URI": database.uri})


@pytest.mark.long
def test_what_works_does_not_say_the_password_of_a_file(env: dict[str, str], tmp_path: Path) -> None:
    uri = f"sqlite:///file:{tmp_path}/catalog.db?uri=true&password={ENCODED}"
    everything_with_the_right_password({**env, "NEQUI_LAKE_CATALOG_URI": uri})


@pytest.mark.long
@pytest.mark.parametrize("login", ["token", "key"])
@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_nothing_says_the_credentials_of_kaggle(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, right: bool
) -> None:
    monkeypatch.setattr("nequi_lake_tests.sources.kaggle_stand_in.TOKEN", "KGAT_c4n4ry" if right else "another")
    monkeypatch.setattr("nequi_lake_tests.sources.kaggle_stand_in.KEY", "key_c4n4ry" if right else "another")
    motor = discover()["electric_motor"]
    raw = write_motor(tmp_path / "inbox", motor_rows(17, 6)).read_bytes()
    Path(env["NEQUI_LAKE_URI"], "lake.json").unlink()
    with KaggleStandIn(datasets={motor.slug: {1: {motor.files[0].name: raw}}}) as kaggle:
        of_kaggle = {**kaggle.environment(), "HOME": str(tmp_path), "NEQUI_LAKE_SOURCE": "kaggle"}
        if login == "key":
            del of_kaggle["KAGGLE_API_TOKEN"]
            of_kaggle |= {"KAGGLE_USERNAME": "ana", "KAGGLE_KEY": "key_c4n4ry"}
        else:
            of_kaggle["KAGGLE_API_TOKEN"] = "KGAT_c4n4ry"
        codes = []
        for command in (
            [*PROGRAM, "--debug", "run", "electric_motor"],
            [*MATERIALIZE, "--select", "group:electric_motor"],
            [*PROGRAM, "doctor"],
        ):
            done = subprocess.run(command, env={**env, **of_kaggle}, capture_output=True, text=True, check=False)
            assert of_secret(done.stdout + done.stderr) == [], command
            codes.append(done.returncode == 0)
    assert codes == [right] * 3
    assert holding(env["DAGSTER_HOME"], env["NEQUI_LAKE_URI"]) == []


def test_no_alert_says_a_secret(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAGGLE_KEY", "key_c4n4ry")
    settings = Settings(
        uri=f"{tmp_path}/lake", source=f"{tmp_path}/inbox", catalog_uri=URIS["a password"], alert_topic=mailbox.topic
    )
    reasons = ["with key_c4n4ry, at", f"a driver: password {CANARY!r}", f"{settings.catalog_uri} is not there"]
    alert(settings, "0123456789", [reasons[0] + reasons[1], *reasons])
    (message,) = mailbox.messages()
    assert of_secret("\n".join(message.values())) == []
    assert "is not there" in message["Message"]


@pytest.mark.long
def test_the_alert_of_a_failed_run_says_no_secret(env: dict[str, str], mailbox: Mailbox, tmp_path: Path) -> None:
    Path(env["NEQUI_LAKE_URI"], "lake.json").unlink()
    write_motor(tmp_path / "inbox", motor_rows(17, 6), header="c4n,0,n,e")
    # The process has all of these secrets; the file that is refused has no column of the contract.
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "aws/c4n4ry",
        "KAGGLE_KEY": "key_c4n4ry",
        "NEQUI_LAKE_CATALOG_URI": f"sqlite:///file:{tmp_path}/catalog.db?uri=true&password={ENCODED}",
        "NEQUI_LAKE_ALERT_TOPIC": mailbox.topic,
        "NEQUI_LAKE_SOURCE": f"{tmp_path}/inbox",
    }
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    done = subprocess.run(
        [*PROGRAM, "run", "electric_motor"], env={**env, **aws, **secrets}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    (message,) = mailbox.messages()
    assert "electric_motor" in message["Message"]
    assert of_secret("\n".join([*message.values(), done.stdout, done.stderr])) == []
    assert holding(env["DAGSTER_HOME"], env["NEQUI_LAKE_URI"]) == []
