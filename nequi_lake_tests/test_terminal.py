"""The command as a process: at a terminal, in a pipe, stopped by a person, and where it cannot write."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import citation, only, released, write_citations

# Each starts a process, or several.
pytestmark = pytest.mark.long
GENEROUS_S = 30
COMMAND = [sys.executable, "-c", "from nequi_lake.cli import program; program()"]
Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of 47 papers, one of which has a terminal's commands in its title."""
    folder = tmp_path_factory.mktemp("terminal")
    records = [citation(number) for number in range(10, 55)]
    records[0] = citation(10, title="Paper 10 \x1b[31m\x07")
    for split, of_split in {"train": records, "validation": [citation(3)], "test": [citation(2)]}.items():
        write_citations(folder / "inbox", split, of_split)
    settings = {"NEQUI_LAKE_URI": str(folder / "lake"), "NEQUI_LAKE_SOURCE": str(folder / "inbox")}
    lake = Lake(Settings.from_env(settings), only("cite_sum"))
    released(lake, "cite_sum")
    return lake


@pytest.fixture
def env(lake: Lake) -> Mapping[str, str]:
    """The environment of a command over that lake."""
    settings = {"NEQUI_LAKE_URI": lake.settings.uri, "NEQUI_LAKE_SOURCE": lake.settings.source}
    return {**os.environ, **settings}


@pytest.fixture
def shell(env: Mapping[str, str]) -> Shell:
    """Run the command to its end."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        options = {"env": env, "capture_output": True, "text": True, "timeout": 120, **options}
        return subprocess.run([*COMMAND, *arguments], check=False, **options)  # type: ignore[call-overload,no-any-return]

    return run


def at_a_terminal(env: Mapping[str, str], *arguments: str) -> str:
    """What a terminal gets on standard output."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, *arguments], env=env, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        found = b""
        try:
            while part := os.read(ours, 65536):
                found += part
        except OSError:
            # The other end is closed.
            pass
        _, said = process.communicate()
    os.close(ours)
    return found.decode() + said.decode()


def test_a_terminal_never_gets_the_commands_that_data_hold(env: Mapping[str, str]) -> None:
    query = "SELECT title FROM cite_sum.papers WHERE paper_id = '10'"
    assert "Paper 10 \\x1b[31m\\x07" in at_a_terminal(env, "sql", query)
    assert "\x1b" not in at_a_terminal(env, "sql", query, "--format", "csv")


def test_a_pipe_gets_the_data_as_they_are(shell: Shell) -> None:
    answer = shell("sql", "SELECT title FROM cite_sum.papers WHERE paper_id = '10'", "--format", "csv")
    assert answer.stdout == "title\nPaper 10 \x1b[31m\x07\n"


def test_a_terminal_gets_the_first_rows_and_how_to_get_all(env: Mapping[str, str], shell: Shell) -> None:
    query = "SELECT paper_id FROM cite_sum.papers ORDER BY paper_id"
    shown = at_a_terminal(env, "sql", query)
    assert len([line for line in shown.split() if line.isdigit()]) >= 40
    assert "The first 40 rows; a pipe gets all" in shown
    assert len(shell("sql", query).stdout.splitlines()) == 2 + 47
    assert len(json.loads(shell("sql", query, "--format", "json").stdout)) == 47


ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range = 7"


BEGUN = """
import gc
import nequi_lake.cli

raised = gc.set_threshold

def first_line(threshold):
    print("begun", flush=True)
    raised(threshold)

gc.set_threshold = first_line
nequi_lake.cli.program()
"""
"""The program, which says when its own first line was run: until then it is Python that is stopped."""


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay_s", [0.0, 0.4, 4.0], ids=["while it loads", "while it begins", "at work"])
def test_ctrl_c_ends_a_command_with_one_line(env: Mapping[str, str], delay_s: float, asked: signal.Signals) -> None:
    command = [sys.executable, "-c", BEGUN, "sql", ENDLESS]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(delay_s)
        process.send_signal(asked)
        began = time.monotonic()
        out, said = process.communicate(timeout=GENEROUS_S)
    assert time.monotonic() - began < GENEROUS_S / 2
    assert process.returncode == 128 + asked
    assert said.strip() == "Stopped. Each dataset is whole, as it was or as it is now; run it again to go on."
    assert out == ""


def test_who_reads_may_have_enough(env: Mapping[str, str]) -> None:
    many = [*COMMAND, "sql", "SELECT range AS n FROM range(2000000)"]
    with subprocess.Popen(many, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has this device, on which nothing can be written")
def test_a_full_standard_output_is_named(env: Mapping[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [*COMMAND, "tables"], env=env, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert answer.returncode == 2
    assert "Standard output cannot be written: No space left on device" in answer.stderr


def test_an_encoding_that_cannot_write_the_lines_of_a_table_is_no_failure(env: Mapping[str, str], shell: Shell) -> None:
    answer = shell("tables", env={**env, "PYTHONIOENCODING": "latin1"})
    assert answer.returncode == 0
    assert "cite_sum.papers" in answer.stdout


def test_a_folder_that_is_gone_is_named(shell: Shell, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); {COMMAND[-1]}"
    answer = subprocess.run(
        [sys.executable, "-c", script, "tables"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert answer.returncode == 2
    assert "The folder in which this was started is gone." in answer.stderr


def test_a_written_file_keeps_its_mode_and_a_link_its_target(shell: Shell, tmp_path: Path) -> None:
    target, link = tmp_path / "rows.csv", tmp_path / "link.csv"
    target.write_text("before")
    target.chmod(0o600)
    link.symlink_to(target)
    assert shell("sql", "SELECT 1 AS n", "-o", str(link)).returncode == 0
    assert target.read_text() == "n\n1\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert link.is_symlink()


def test_what_is_no_regular_file_is_never_replaced(shell: Shell, tmp_path: Path) -> None:
    fifo, loop = tmp_path / "fifo.csv", tmp_path / "loop.csv"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    for path in (fifo, loop, tmp_path / f"{'n' * 300}.csv"):
        answer = shell("sql", "SELECT 1 AS n", "-o", str(path))
        assert answer.returncode == 2, path
        assert "broke off" not in answer.stderr
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_bare_name_of_a_table_is_answered_with_its_full_one(shell: Shell) -> None:
    said = shell("sql", "SELECT * FROM papers").stderr
    assert "to do: A table is named with its dataset: cite_sum.papers." in said
    assert "pg_" not in said


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("SHOW TABLES", "cite_sum,papers"),
        ("show all tables;", "cite_sum,papers"),
        ("DESCRIBE cite_sum.papers", "paper_id,VARCHAR"),
        ("SUMMARIZE cite_sum.papers", "paper_id,VARCHAR"),
        ("EXPLAIN SELECT * FROM cite_sum.papers", "physical_plan"),
        ("PIVOT cite_sum.citations ON split USING count(*) GROUP BY paper_id", "paper_id,test,train"),
        ("SELECT table_name FROM information_schema.tables WHERE table_schema = 'cite_sum'", "papers"),
    ],
)
def test_questions_about_tables_are_answered(shell: Shell, query: str, shown: str) -> None:
    answer = shell("sql", query, "--format", "csv")
    assert answer.returncode == 0, answer.stderr
    assert shown in answer.stdout


def test_athena_without_credentials_is_said_without_a_traceback(shell: Shell, env: Mapping[str, str]) -> None:
    of_aws = {name: value for name, value in env.items() if not name.startswith("AWS_")}
    bucket = {"NEQUI_LAKE_URI": "s3://nobodys-bucket/lake", "AWS_REGION": "us-east-1", "HOME": "/nonexistent"}
    answer = shell("sql", "--athena", "SELECT 1", env={**of_aws, **bucket, "AWS_EC2_METADATA_DISABLED": "true"})
    assert answer.returncode in (1, 2)
    assert "Traceback" not in answer.stderr
    assert "credentials" in answer.stderr


def test_a_day_means_its_end_and_an_earlier_one_says_what_there_is(shell: Shell, lake: Lake) -> None:
    published = lake.table("cite_sum.papers").published.published_at
    day = published.date().isoformat()
    assert "cite_sum.papers" in shell("tables", "--as-of", day).stdout
    said = shell("tables", "--as-of", "2001-01-01").stderr
    assert f"The first that is kept is from {day}T" in said


@pytest.mark.parametrize(
    "uri",
    [
        "postgres://me:hunter2@localhost/lake",
        "nonsense",
        "mysql+nodriver://me:hunter2@h/x",
        "postgresql://me:hunter2@h:port/x?password=hunter2",
    ],
)
def test_an_address_of_a_catalog_that_cannot_be_used_is_named_without_its_password(
    env: Mapping[str, str], shell: Shell, uri: str
) -> None:
    for command in ("doctor", "tables"):
        answer = shell(command, env={**env, "NEQUI_LAKE_CATALOG_URI": uri})
        said = answer.stdout + answer.stderr
        assert answer.returncode in (1, 2)
        assert "broke off" not in said
        assert "hunter2" not in said
