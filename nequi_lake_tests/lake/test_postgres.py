"""A lake whose catalog is in PostgreSQL: the same lake, for several machines, and through the server's bad days."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from nequi_lake import Lake
from nequi_lake.cli import main
from nequi_lake.defs.build import build
from nequi_lake.defs.run import Outcome, run, run_recorded
from nequi_lake.errors import CatalogConflictError, CatalogError, TransientError
from nequi_lake.lake.catalog.maintenance import RetentionPolicy, maintain
from nequi_lake.lake.catalog.rebuild import State, rebuild
from nequi_lake.lake.catalog.rollback import roll_back
from nequi_lake.lake.layout import ensure_identity
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage
from nequi_lake.lake.storage.faults import translate_error
from nequi_lake_tests.chaos.lakes import Watcher, content_of, write_inbox
from nequi_lake_tests.conftest import citation, only, released, write_citations
from nequi_lake_tests.lake.test_releases import restaged
from nequi_lake_tests.postgres import Database

pytestmark = pytest.mark.postgres
PROGRAM = [sys.executable, "-c", "from nequi_lake.cli import program; program()"]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def settings(settings: Settings, database: Database) -> Settings:
    """A lake in a temporary folder whose catalog is in a database of its own."""
    return replace(settings, catalog_uri=database.uri)


@pytest.fixture
def env(settings: Settings) -> dict[str, str]:
    """The environment of a command over that lake."""
    return {
        **os.environ,
        "NEQUI_LAKE_URI": settings.uri,
        "NEQUI_LAKE_SOURCE": settings.source,
        "NEQUI_LAKE_CATALOG_URI": settings.catalog_uri,
    }


@pytest.fixture
def command(env: Mapping[str, str]) -> Command:
    """Run a command to its end."""

    def done(*arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *arguments], env={**env, **changed}, capture_output=True, text=True, check=False
        )

    return done


def test_a_lake_has_the_rows_that_it_has_with_a_catalog_in_a_file(settings: Settings, tmp_path: Path) -> None:
    dataset = only("cite_sum", marts=True)
    in_file = replace(settings, uri=f"{tmp_path}/other", catalog_uri=f"sqlite:///{tmp_path}/other/catalog.db")
    for one in (settings, in_file):
        assert run(build(one, dataset), (), None).failures == ()
    lake, other = Lake(settings, dataset), Lake(in_file, dataset)
    assert content_of(lake.tables()) == content_of(other.tables())
    assert not Path(settings.uri, "catalog.db").exists()
    papers, rows = lake.table("cite_sum.papers"), 3
    assert papers.scan().select(pl.len()).collect().item() == rows
    assert papers.to_polars().height == len(papers.to_pandas()) == papers.to_dataset().count_rows() == rows
    assert lake.sql("SELECT count(*) AS rows FROM cite_sum.papers").to_pylist() == [{"rows": rows}]
    assert [entry.current for entry in lake.catalog.history(dataset["cite_sum"], "papers")] == [True]


def test_releases_rollback_and_maintenance(settings: Settings, inbox: Path) -> None:
    lake = Lake(settings, only("cite_sum"))
    dataset = lake.datasets["cite_sum"]
    ids = []
    for paper in (7, 8, 9):
        write_citations(inbox, "train", [citation(paper)])
        ids.append(released(lake, "cite_sum"))
    roll_back(dataset, ids[0], lake.catalog, lake.storage)
    assert lake.table("cite_sum.papers").published.release.id == ids[0]
    maintain(dataset, lake.catalog, lake.storage, retention=RetentionPolicy(releases=1, age=timedelta(0)))
    assert {state.release.id for state in lake.catalog.releases(dataset)} == {ids[0]}
    assert lake.table("cite_sum.papers").to_polars().height


def test_a_lost_catalog_is_made_anew(settings: Settings, inbox: Path, database: Database, command: Command) -> None:
    lake = Lake(settings, only("cite_sum"))
    released(lake, "cite_sum")
    write_citations(inbox, "train", [citation(9)])
    released(lake, "cite_sum")
    before = content_of(lake.tables()), lake.history("cite_sum.papers").rows()
    database.do("DROP TABLE iceberg_tables", "DROP TABLE iceberg_namespace_properties")
    with pytest.raises(CatalogError, match="nequi-lake catalog rebuild"):
        Lake(settings, lake.datasets).tables()
    done = command("catalog", "rebuild")
    assert (done.returncode, "3 tables were registered" in done.stderr) == (0, True)
    again = Lake(settings, lake.datasets)
    assert (content_of(again.tables()), again.history("cite_sum.papers").rows()) == before
    assert {one.state for one in rebuild(lake.datasets["cite_sum"], again.catalog, again.storage)} == {State.RIGHT}
    assert command("doctor").returncode == 0


def test_of_two_that_commit_the_same_table_at_once_one_is_refused(settings: Settings, inbox: Path) -> None:
    lake = Lake(settings, only("cite_sum"))
    released(lake, "cite_sum")
    dataset = lake.datasets["cite_sum"]
    published = lake.table("cite_sum.papers").published
    for how in ("a new table", "a table"):
        if how == "a new table":
            lake.catalog._catalog.drop_table(("cite_sum", "papers"))
        both, ended = threading.Barrier(2), list[str]()

        def commit(name: str, both: threading.Barrier = both, ended: list[str] = ended) -> None:
            try:
                # Both have read the table before either commits.
                Lake(settings, lake.datasets).catalog.publish(dataset, restaged(published, name), fence=both.wait)
                ended.append(name)
            except CatalogConflictError:
                ended.append("refused")

        writers = [threading.Thread(target=commit, args=(name,)) for name in ("one", "other")]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        newest = lake.catalog.newest("cite_sum", "papers")
        assert newest is not None
        assert sorted(ended) == sorted(["refused", newest.release.id]), how
        assert newest.paths == published.paths


WRITER = """
import sys
from nequi_lake import Lake
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import only, released
lake, inbox, database, dataset, rounds = sys.argv[1:]
print("begun", flush=True)
sys.stdin.readline()
for number in range(int(rounds)):
    settings = Settings.from_env({
        "NEQUI_LAKE_URI": lake, "NEQUI_LAKE_SOURCE": f"{inbox}/{'AB'[number % 2]}", "NEQUI_LAKE_CATALOG_URI": database
    })
    released(Lake(settings, only(dataset)), dataset)
"""


@pytest.mark.parametrize("datasets", [("cite_sum", "cite_sum"), ("cite_sum", "electric_motor")], ids=["same", "other"])
def test_two_writers_never_tear_what_readers_see(
    settings: Settings, database: Database, tmp_path: Path, datasets: tuple[str, str]
) -> None:
    declared, whole = only(*datasets), {}
    for release in "AB":
        write_inbox(tmp_path / release, release)
        alone = Settings.from_env(
            {"NEQUI_LAKE_URI": f"{tmp_path}/alone{release}", "NEQUI_LAKE_SOURCE": f"{tmp_path}/{release}"}
        )
        for name in declared:
            released(Lake(alone, declared), name)
        whole[release] = content_of(Lake(alone, declared).tables())
    arguments = [settings.uri, str(tmp_path), database.uri]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, *arguments, name, "5"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in datasets
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    watcher, wrong, looks = Watcher(Lake(settings, declared), whole), list[str](), 0
    while any(writer.poll() is None for writer in writers):
        wrong += watcher.look()
        looks += bool(watcher.seen)
    said = [writer.communicate()[1] for writer in writers]
    assert ([writer.returncode for writer in writers], said) == ([0, 0], ["", ""])
    assert wrong + watcher.look() == []
    assert looks
    # Each round of each writer is one release, unless the other had just published the same.
    for name in declared:
        releases = [state.complete for state in Lake(settings, declared).catalog.releases(declared[name])]
        assert all(releases)
        assert 5 <= len(releases) <= 5 * datasets.count(name)


def test_the_server_restarts_between_two_steps_and_the_run_goes_on(database: Database, env: dict[str, str]) -> None:
    with subprocess.Popen(
        [*PROGRAM, "run", "cite_sum"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = []
        # The tables are published, the connection waits in its pool, and reports and the summary are to come.
        for line in process.stderr:
            said.append(line)
            if "published" in line and not any("published" in before for before in said[:-1]):
                database.restart_server()
        listed = process.stdout.read() if process.stdout else ""
    assert process.returncode == 0, "".join(said)
    assert "cite_sum.papers" in listed
    assert "Traceback" not in "".join(said)


@pytest.mark.parametrize("landed", [True, False], ids=["whose answer is lost", "that is lost"])
@pytest.mark.parametrize("first", [True, False], ids=["that creates the table", "to a table"])
def test_the_server_restarts_in_the_middle_of_a_commit(
    settings: Settings, inbox: Path, database: Database, first: bool, landed: bool
) -> None:
    lake = Lake(settings, only("cite_sum"))
    ensure_identity(lake.storage)
    if not first:
        released(lake, "cite_sum")
        write_citations(inbox, "train", [citation(1), citation(2)])
    catalog = lake.catalog._catalog
    assert isinstance(catalog, SqlCatalog)
    written, broken = list[str](), list[str]()

    @event.listens_for(catalog.engine, "before_cursor_execute")
    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        written.extend(re.findall(r"^(?:INSERT INTO|UPDATE) iceberg_tables", statement))

    @event.listens_for(catalog.engine, "commit")
    def restart(connection: Connection) -> None:
        if not written or broken:
            return
        broken.extend(written)
        if landed:
            connection.connection.commit()
        database.restart_server()
        connection.exec_driver_sql("SELECT 1")

    with pytest.raises(OperationalError) as broke:
        released(lake, "cite_sum")
    assert broken == ["INSERT INTO iceberg_tables" if first else "UPDATE iceberg_tables"]
    explained = translate_error(broke.value, settings.uri)
    assert isinstance(explained, TransientError)
    assert "The catalog's database is busy or cannot be reached" in str(explained)
    if first:
        assert Lake(settings, lake.datasets).tables() == []
    # The next run, in the same process, makes it whole, and other processes see so.
    release = released(lake, "cite_sum")
    again = Lake(settings, lake.datasets)
    assert {table.published.release.id for table in again.tables()} == {release}
    assert again.table("cite_sum.papers").to_polars().height == 3
    assert [state.complete for state in again.catalog.releases(lake.datasets["cite_sum"])] == [True] * (2 - first)


def test_a_database_that_is_gone_after_publishing_costs_only_the_list_of_tables(
    env: dict[str, str],
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = database.url.database

    def run_and_lose(*arguments: Any) -> Outcome:
        outcome = run_recorded(*arguments)
        database.do(
            f"ALTER USER {name} NOLOGIN",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'",
        )
        return outcome

    monkeypatch.setattr("nequi_lake.defs.run.run_recorded", run_and_lose)
    for variable in ("NEQUI_LAKE_URI", "NEQUI_LAKE_SOURCE", "NEQUI_LAKE_CATALOG_URI"):
        monkeypatch.setenv(variable, env[variable])
    monkeypatch.setattr("sys.argv", ["nequi-lake", "run", "cite_sum"])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    assert "The tables are published, and cannot be listed now" in said
    assert "is not permitted to log in" in said
    assert "Done, in" in said
    assert not end.value.code


REFUSALS: dict[str, tuple[Callable[[Database], str], int, str, str]] = {
    "a wrong password": (
        lambda found: found.changed(password="c4n4ry/wrong"),
        *(2, "does not accept the user or the password", "Correct them in NEQUI_LAKE_CATALOG_URI"),
    ),
    "a wrong user": (
        lambda found: found.changed(username="nobody_of_this_name"),
        *(2, "does not accept the user or the password", "Correct them in NEQUI_LAKE_CATALOG_URI"),
    ),
    "a wrong port": (
        lambda found: found.changed(port=9),
        *(1, "port 9 failed: Connection refused.", "is its address in NEQUI_LAKE_CATALOG_URI right"),
    ),
    "a wrong host": (
        lambda found: found.changed(host="no-host.invalid"),
        *(1, "no-host.invalid", "is its address in NEQUI_LAKE_CATALOG_URI right"),
    ),
    "a wrong name of the database": (
        lambda found: found.changed(database="no_such_database"),
        *(2, 'database "no_such_database" does not exist', "createdb"),
    ),
    "an option that the server does not have": (
        lambda found: f"{found.uri}?sslmode=require",
        *(2, "server does not support SSL", "behind the question mark"),
    ),
    "an option that the driver does not know": (
        lambda found: f"{found.uri}?colour=red",
        *(2, 'invalid connection option "colour"', "behind the question mark"),
    ),
    "a password that is not encoded": (
        lambda found: found.uri.replace("%2F", "@"),
        *(2, "characters that mean something else", "%40 for @"),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_an_address_that_the_server_does_not_take_is_one_message(
    database: Database, command: Command, settings: Settings, case: str
) -> None:
    address, code, said, fix = REFUSALS[case]
    ensure_identity(open_storage(settings))
    answer = command("--debug", "tables", NEQUI_LAKE_CATALOG_URI=address(database))
    assert (answer.returncode, "c4n4ry" in answer.stderr, "pass word" in answer.stderr) == (code, False, False)
    message, _, trace = answer.stderr.partition("Traceback")
    assert trace
    assert said in message
    assert "\n  where: postgresql+psycopg2://" in message
    assert fix in message.partition("\n  to do: ")[2]
    answer = command("doctor", "--format", "json", NEQUI_LAKE_CATALOG_URI=address(database))
    assert (answer.returncode, answer.stderr, "c4n4ry" in answer.stdout) == (1, "", False)
    (check,) = [check for check in json.loads(answer.stdout) if check["check"] == "catalog_access"]
    assert not check["passed"]
    assert said in check["found"]
    assert fix in check["to do"]


def test_a_run_with_a_wrong_password_does_not_begin(database: Database, command: Command, settings: Settings) -> None:
    ensure_identity(open_storage(settings))
    answer = command("run", "cite_sum", NEQUI_LAKE_CATALOG_URI=database.changed(password="c4n4ry/wrong"))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "does not accept the user or the password" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not Path(settings.uri, "raw").exists()


def test_a_user_who_may_only_read(settings: Settings, database: Database, command: Command) -> None:
    lake = Lake(settings, only("cite_sum"))
    ensure_identity(lake.storage)
    name = f"{database.url.database}_reader"
    database.do(f"CREATE USER {name} PASSWORD 'reading-only'")
    try:
        reader = database.changed(username=name, password="reading-only")
        answer = command("tables", NEQUI_LAKE_CATALOG_URI=reader)
        assert answer.returncode == 1
        assert "does not allow this: permission denied for schema public" in answer.stderr
        released(lake, "cite_sum")
        database.do(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
        assert "cite_sum.papers" in command("tables", NEQUI_LAKE_CATALOG_URI=reader).stdout
        write_citations(Path(settings.source), "train", [citation(9)])
        answer = command("run", "cite_sum", NEQUI_LAKE_CATALOG_URI=reader)
        assert answer.returncode == 1
        assert "does not allow this: permission denied for table iceberg_tables" in answer.stderr
        assert "Traceback" not in answer.stderr
    finally:
        database.do(f"DROP OWNED BY {name}", f"DROP USER {name}")
