"""``nequi-lake`` as a person uses it: what it prints, its exit codes, and what a failure says."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest

from nequi_lake.cli.complete import dataset_names, table_names
from nequi_lake_tests.conftest import Shell, declared, motor_rows, write_motor


@pytest.fixture
def shell(tmp_path: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell in an empty folder, whose lake is filled from the inbox."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("NEQUI_LAKE_SOURCE", str(inbox))
    monkeypatch.setenv("NEQUI_LAKE_URI", str(tmp_path / "lake"))
    return Shell(monkeypatch, capsys)


def test_run_ends_with_a_summary_and_where_to_look(shell: Shell) -> None:
    code, out, err = shell("run")
    assert code == 0
    assert "electric_motor.measurements" in out
    assert "staging sessions, measurements" in err
    assert "Reports: file://" in err
    assert "Done" in err
    assert "credit_risk" not in out


def test_run_of_one_dataset_leaves_the_other_alone(shell: Shell) -> None:
    assert shell("run", "cite_sum")[0] == 0
    code, out, _ = shell("tables", "--format", "json")
    assert code == 0
    assert {row["table"].split(".")[0] for row in json.loads(out)} == {"cite_sum"}


def test_a_failed_run_says_what_where_limit_and_what_to_do(shell: Shell, inbox: Path) -> None:
    write_motor(inbox, motor_rows(17, 10, pm="hot"))
    code, _, err = shell("run", "electric_motor")
    assert code == 1
    assert "electric_motor.measurements fail quarantine_limit: all 10 records of measures_v2.csv are bad" in err
    assert "such as line 2 of measures_v2.csv" in err
    assert "to do: See which records, and why: nequi-lake quarantine electric_motor.sessions" in err
    assert "Traceback" not in err
    assert "Stack Trace" not in err
    assert "FAILED" in err
    code, out, _ = shell("quarantine", "electric_motor.measurements", "--format", "json")
    assert code == 0
    first = json.loads(out)[0]
    place = ["offset_bytes", "size_bytes", "original"]
    assert list(first) == ["dataset", "file", "line", "table", "rule", "raw", *place]
    assert first["raw"]["pm"] == "hot"
    _, out, err = shell("quarantine", "electric_motor.sessions", "--format", "csv", "--limit", "3")
    assert len(list(csv.DictReader(io.StringIO(out)))) == 3
    assert "3 of 10 records" in err


def test_debug_shows_the_traceback(shell: Shell, inbox: Path) -> None:
    write_motor(inbox, [])
    assert "Stack Trace" in shell("run", "electric_motor", "--debug")[2]


def test_a_fault_of_the_lake_itself_is_said_in_a_few_lines(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("an engine fell apart")

    monkeypatch.setattr("nequi_lake.pipeline.tables.stage", broken)
    code, _, err = shell("run", "cite_sum")
    assert code == 1
    assert "cite_sum_tables broke off" in err
    assert "an engine fell apart" in err
    assert "Stack Trace" not in err


def test_tables_prints_each_format(shell: Shell) -> None:
    assert shell("run", "cite_sum")[0] == 0
    as_table = shell("tables")[1]
    assert as_table.splitlines()[0].split() == [
        *("table", "rows", "bytes", "partitions", "quarantined", "release", "source_release", "published_at", "source")
    ]
    by_csv = list(csv.DictReader(io.StringIO(shell("tables", "--format", "csv")[1])))
    by_json = json.loads(shell("tables", "--format", "json")[1])
    assert [row["table"] for row in by_csv] == [row["table"] for row in by_json]
    assert [int(row["rows"]) for row in by_csv] == [row["rows"] for row in by_json] == [3, 5, 4, 3, 3, 5, 3, 3, 4, 5]
    assert {row["source_release"] for row in by_json[3:]} == {by_json[0]["release"]}


def test_sql_prints_rows(shell: Shell) -> None:
    assert shell("run", "cite_sum")[0] == 0
    code, out, _ = shell(
        "sql", "SELECT split, count(*) AS n FROM cite_sum.citations GROUP BY 1 ORDER BY 1", "-f", "csv"
    )
    assert code == 0
    assert out == "split,n\ntest,1\ntrain,3\nvalidation,1\n"


def test_sql_writes_a_file_and_says_so(shell: Shell, tmp_path: Path) -> None:
    assert shell("run", "cite_sum")[0] == 0
    release = json.loads(shell("tables", "--format", "json")[1])[0]["release"]
    query = "SELECT split, count(*) AS n FROM cite_sum.citations GROUP BY 1 ORDER BY 1"
    code, out, err = shell("sql", query, "--output", "splits.csv", "--as-of", release)
    assert (code, out) == (0, "")
    assert (tmp_path / "splits.csv").read_text() == "split,n\ntest,1\ntrain,3\nvalidation,1\n"
    assert err == f"Wrote 3 rows, 36 bytes, to {tmp_path}/splits.csv\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--output", "rows.txt"], ".csv, .parquet, .xlsx"),
        (["--output", "rows"], ".csv, .parquet, .xlsx"),
        (["--output", "nowhere/rows.csv"], "Make the folder first"),
        (["--output", "folder.csv"], "Name a file"),
        (["--output", "rows.csv", "--format", "json"], "do not go together"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_before_the_query(
    arguments: list[str], told: str, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "folder.csv").mkdir()
    code, out, err = shell("sql", "SELECT no_such_column", *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_two_columns_of_one_name_are_not_printed_as_one(shell: Shell) -> None:
    code, _, err = shell("sql", "SELECT 1 AS a, 2 AS a")
    assert code == 2
    assert "Two columns are called a" in err


def test_sql_with_no_rows_says_so(shell: Shell) -> None:
    assert shell("sql", "SELECT 1 WHERE false")[1] == "no rows\n"


def test_doctor_is_content_with_a_sound_lake(shell: Shell) -> None:
    assert shell("run")[0] == 0
    code, out, _ = shell("doctor", "--format", "json")
    assert code == 0
    assert [row["passed"] for row in json.loads(out)] == [True] * 11


def test_doctor_notices_a_lake_that_was_moved(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell("run", "cite_sum")[0] == 0
    (tmp_path / "lake").rename(tmp_path / "moved")
    monkeypatch.setenv("NEQUI_LAKE_URI", str(tmp_path / "moved"))
    code, out, _ = shell("doctor", "--format", "json")
    assert code == 1
    told = {row["check"]: row for row in json.loads(out)}["table_files"]
    assert not told["passed"]
    assert "moved" in told["to do"]


def test_doctor_makes_nothing(shell: Shell, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = shell("doctor", "--format", "json")
    assert code == 0
    found = {row["check"]: row["found"] for row in json.loads(out)}
    assert found["storage_writable"] == f"a folder can be made in {tmp_path}"
    assert "there is no lake yet" in found["catalog_access"]
    (tmp_path / "lake").mkdir()
    assert shell("doctor")[0] == 0
    assert list((tmp_path / "lake").iterdir()) == []
    (tmp_path / "lake").rmdir()
    assert sorted(tmp_path.rglob("*")) == before


def test_doctor_notices_a_source_that_does_not_exist(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEQUI_LAKE_SOURCE", str(tmp_path / "inbxo"))
    code, out, _ = shell("doctor", "--format", "json")
    assert code == 1
    assert "does not exist" in {row["check"]: row for row in json.loads(out)}["source_access"]["found"]


def test_a_misspelt_setting_is_wrong_use(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEQUI_LAKE_SORCE", "/inbox")
    code, _, err = shell("doctor")
    assert code == 2
    assert "Did you mean NEQUI_LAKE_SOURCE?" in err


def test_doctor_notices_a_folder_that_is_no_folder(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NEQUI_LAKE_URI", str(tmp_path / "file" / "lake"))
    code, out, _ = shell("doctor", "--format", "json")
    assert code == 1
    assert not {row["check"]: row for row in json.loads(out)}["storage_writable"]["passed"]


WRONG_USE = {
    "unknown command": ["fetch"],
    "unknown option": ["tables", "--wide"],
    "unknown format": ["tables", "--format", "xml"],
    "missing argument": ["sql"],
    "unknown dataset": ["run", "loans"],
}


@pytest.mark.parametrize("arguments", WRONG_USE.values(), ids=WRONG_USE)
def test_wrong_use_exits_2_and_says_what_is_right(arguments: list[str], shell: Shell) -> None:
    code, out, err = shell(*arguments)
    assert code == 2
    assert out == ""
    assert "to do:" in err
    assert "Traceback" not in err


def test_a_source_without_the_datasets_is_wrong_use(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("NEQUI_LAKE_SOURCE", str(tmp_path / "empty"))
    code, _, err = shell("run")
    assert code == 2
    assert "The source has none of the datasets" in err
    code, _, err = shell("run", "cite_sum")
    assert code == 2


def test_a_table_that_is_not_there_exits_1(shell: Shell) -> None:
    code, _, err = shell("quarantine", "cite_sum.books")
    assert code == 1
    assert "There is no table cite_sum.books" in err


def test_runs_are_recorded_where_the_ui_looks(shell: Shell, tmp_path: Path) -> None:
    import dagster as dg

    (tmp_path / ".dagster").mkdir()
    (tmp_path / ".dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    code, _, err = shell("run", "cite_sum")
    assert code == 0
    assert "In the Dagster UI" in err
    with dg.DagsterInstance.get() as instance:
        assert [run.is_success for run in instance.get_runs()] == [True]


def test_help_names_every_command(shell: Shell) -> None:
    code, out, _ = shell("--help")
    assert code == 0
    for command in ("run", "tables", "sql", "quarantine", "doctor"):
        assert command in out


def test_a_run_that_is_stopped_says_so(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nequi_lake.pipeline.tables.stage", stopped)
    code, _, err = shell("run", "cite_sum")
    assert code == 130
    assert "Stopped." in err
    assert "report it" not in err


def test_a_csv_holds_no_formula_that_a_spreadsheet_would_run(shell: Shell) -> None:
    query = """SELECT '=HYPERLINK("http://x")' AS a, '@SUM(1)' AS b, '-5e3' AS c, -5 AS d, '+57 300' AS e, 'x=1' AS f"""
    code, out, _ = shell("sql", query, "--format", "csv")
    assert code == 0
    (row,) = csv.DictReader(io.StringIO(out))
    assert list(row.values()) == ['\'=HYPERLINK("http://x")', "'@SUM(1)", "-5e3", "-5", "'+57 300", "x=1"]
    assert json.loads(shell("sql", query, "--format", "json")[1])[0]["b"] == "@SUM(1)"


def test_decimal_numbers_are_printed_as_numbers_with_all_their_digits(shell: Shell) -> None:
    query = (
        "SELECT 12345678901234567.10::DECIMAL(38, 2) AS amount, 0::DECIMAL(18, 10) AS fee, "
        "[0.10::DECIMAL(18, 2)] AS each, 'nan'::DOUBLE AS share, TIMESTAMP '2026-01-02 03:04:05' AS at, 'x' AS text"
    )
    printed = shell("sql", query, "--format", "json")[1]
    assert '"amount": 12345678901234567.10,' in printed
    (row,) = json.loads(printed, parse_float=Decimal)
    assert (row["fee"], row["each"], row["share"]) == (0, [Decimal("0.10")], "nan")
    assert row["at"] == "2026-01-02 03:04:05"
    (by_csv,) = csv.DictReader(io.StringIO(shell("sql", query, "--format", "csv")[1]))
    assert [*by_csv.values()][:3] == ["12345678901234567.10", "0.0000000000", "[0.10]"]
    title, _, line = shell("sql", "SELECT 1.50::DECIMAL(18, 2) AS the_amount")[1].splitlines()
    assert line.rjust(len(title)) == line == f"{'1.50':>10}"


def test_years_are_not_printed_as_amounts(shell: Shell) -> None:
    assert shell("sql", "SELECT 2015 AS issue_year")[1].split()[-1] == "2015"


def test_the_command_line_starts_without_the_engines() -> None:
    heavy = "{'polars', 'pyiceberg', 'dagster', 'pandas', 'duckdb'} & set(sys.modules)"
    asked = subprocess.run(
        [sys.executable, "-c", f"import sys, nequi_lake.cli; print({heavy})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout == "set()\n"


def test_a_query_that_reads_no_table_waits_for_no_catalog() -> None:
    heavy = "{'pyiceberg', 'pandas', 'pyarrow.dataset', 'dagster'} & set(sys.modules)"
    asked = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; from nequi_lake import Lake; Lake.from_env().sql('SELECT 1'); print({heavy})",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout == "set()\n"


def test_the_version_is_said(shell: Shell) -> None:
    assert shell("--version") == (0, f"nequi-lake {version('nequi_lake')}\n", "")


@pytest.mark.parametrize("command", [(), ("sql",), ("infra",), ("infra", "check")], ids=" ".join)
def test_h_is_help(command: tuple[str, ...], shell: Shell) -> None:
    code, out, _ = shell(*command, "-h")
    assert code == 0
    assert f"Usage: nequi-lake {' '.join(command)}".rstrip() in out
    assert out == shell(*command, "--help")[1]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("hist", ["history"]),
        ("run elec", ["electric_motor"]),
        ("history cite_sum.papers", ["cite_sum.papers"]),
        ("quarantine electric_motor.m", ["electric_motor.measurements", "electric_motor.motor_features"]),
        ("rollback cit", ["cite_sum"]),
        ("tables --as", ["--as-of"]),
    ],
)
def test_the_shell_completes_commands_datasets_and_tables(typed: str, offered: list[str]) -> None:
    line = f"nequi-lake {typed}"
    asked = subprocess.run(
        [Path(sys.executable).with_name("nequi-lake")],
        env={
            **os.environ,
            "_NEQUI_LAKE_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (asked.stdout.split(), asked.stderr) == (offered, "")


def test_completion_passes_over_a_declaration_that_cannot_be_read(tmp_path: Path) -> None:
    known = dataset_names("")
    with declared(tmp_path / "more", broken="import no_such_module"):
        assert dataset_names("") == known
        assert "cite_sum.papers" in table_names("")


def test_the_dictionary_is_printed_or_written(shell: Shell, tmp_path: Path) -> None:
    code, out, _ = shell("dictionary")
    assert code == 0
    assert out.startswith("# Data dictionary\n")
    page = tmp_path / "page.html"
    page.write_text("before")
    code, out, err = shell("dictionary", "--output", str(page))
    assert (code, out) == (0, "")
    assert str(page) in err
    assert page.read_text().startswith("<!doctype html>")
    assert shell("dictionary", "--output", str(tmp_path / "page.docx"))[0] == 2


def test_old_versions_are_listed_read_gone_back_to_and_removed(shell: Shell, inbox: Path) -> None:
    assert shell("run", "electric_motor")[0] == 0
    write_motor(inbox, motor_rows(17, 3))
    assert shell("run", "electric_motor")[0] == 0
    code, out, _ = shell("history", "electric_motor.measurements", "--format", "json")
    assert code == 0
    new, old = json.loads(out)
    assert (new["rows"], new["current"], new["complete"]) == (3, True, True)
    assert (old["rows"], old["current"], old["complete"]) == (10, False, True)
    count = "SELECT count(*) AS rows FROM electric_motor.measurements"
    _, out, _ = shell("sql", "--as-of", old["release"][:6], count, "--format", "json")
    assert json.loads(out) == [{"rows": 10}]
    _, out, _ = shell("tables", "--as-of", old["release"], "--format", "json")
    assert {row["source_release"] or row["release"] for row in json.loads(out)} == {old["release"]}
    code, _, err = shell("tables", "--as-of", "2000-01-01")
    assert code == 1
    assert "no release that is kept from 2000-01-01" in err
    assert shell("tables", "--as-of", "2000-13-01")[0] == 2

    code, _, err = shell("rollback", "electric_motor", old["release"])
    assert code == 0
    assert f"see release {old['release']} now" in err
    assert "The next run of electric_motor publishes the release of the current raw version again" in err
    assert json.loads(shell("sql", count, "--format", "json")[1]) == [{"rows": 10}]
    assert "nothing was changed" in shell("rollback", "electric_motor", old["release"])[2]

    code, out, err = shell("maintain", "electric_motor", "--dry-run", "--format", "json")
    assert code == 0
    assert json.loads(out) == [{"dataset": "electric_motor", "snapshots": 0, "files": 0, "bytes": 0}]
    assert "nothing was changed" in err
    assert shell("maintain")[0] == 0
    assert shell("maintain", "motors")[0] == 2


def test_maintenance_goes_on_past_a_dataset_that_refuses(shell: Shell, tmp_path: Path) -> None:
    code, _, err = shell("maintain")
    assert code == 0
    assert f"There is no lake at {tmp_path / 'lake'} yet: there is nothing to do" in err
    assert not (tmp_path / "lake").exists()

    assert shell("run", "cite_sum", "electric_motor")[0] == 0
    next((tmp_path / "lake").glob("processed/cite_sum/papers/data/*/*.parquet")).unlink()
    code, out, err = shell("maintain", "cite_sum", "electric_motor", "--format", "json")
    assert code == 1
    assert [row["dataset"] for row in json.loads(out)] == ["electric_motor"]
    assert "Not maintained: cite_sum." in err
    assert "need are not there" in err


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--help"], 0), (["sql", "SELECT 1 AS one"], 0), (["run", "no_such_dataset"], 2)]
)
def test_the_program_as_a_process_ends_quietly(tmp_path: Path, arguments: list[str], code: int) -> None:
    script = f"import sys; from nequi_lake.cli import program; sys.argv = ['nequi-lake', *{arguments}]; program()"
    environment = {"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": "sample", "PATH": os.environ["PATH"]}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == code
    assert ("leaked" in ended.stderr, "Traceback" in ended.stderr) == (False, False)
    assert bool(ended.stderr) is bool(code)
