"""Runs beside a real Dagster daemon: each that fails is alerted once, whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import dagster as dg
import pytest

from nequi_lake.defs.records import fail_killed_runs, recorded
from nequi_lake.defs.run import run_recorded
from nequi_lake.errors import UsageError
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.aws import Mailbox
from nequi_lake_tests.conftest import motor_rows, write_motor

ROOT = Path(__file__).parents[2]
MOTOR = "electric_motor"
WAIT_S = 240
KILLED_AT_STAGING = """
import os, signal, sys
import nequi_lake.defs.tables
from nequi_lake.cli import main
nequi_lake.defs.tables.stage_tables = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
sys.argv = ["nequi-lake", "run", "electric_motor"]
main()
"""


@dataclass
class Home:
    """A Dagster home of a lake whose next run fails, and the processes that use it."""

    folder: Path
    settings: Settings
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NEQUI_LAKE_")}
        return {
            **kept,
            "DAGSTER_HOME": str(self.folder),
            "NEQUI_LAKE_URI": self.settings.uri,
            "NEQUI_LAKE_SOURCE": self.settings.source,
            "NEQUI_LAKE_ALERT_TOPIC": self.settings.alert_topic,
        }

    def command(self, *arguments: str) -> int:
        """Run a command of the environment's; gives its exit code."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=WAIT_S,
        ).returncode

    def start(self, *arguments: str) -> None:
        """Start a process, to be ended by :meth:`end`."""
        with (self.folder / "daemon.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)

    def end(self) -> None:
        """End what was started, with the code servers of it."""
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def runs(self) -> dict[str, dg.DagsterRun]:
        """The recorded runs."""
        with dg.DagsterInstance.get() as instance:
            return {run.run_id: run for run in instance.get_runs()}


@pytest.fixture
def home(
    tmp_path: Path, settings: Settings, mailbox: Mailbox, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Home]:
    """Records in a folder of the test's own, and a motor file that fails its checks."""
    made = Home(tmp_path / "home", replace(settings, alert_topic=mailbox.topic))
    made.folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(made.folder))
    write_motor(inbox, motor_rows(17, 10, coolant="warm"))
    yield made
    made.end()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(1)


def polls(name: str) -> int:
    """How often the daemon has asked a sensor."""
    with dg.DagsterInstance.get() as instance:
        states = [state for state in instance.all_instigator_state() if state.instigator_name == name]
        return sum(
            len(instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1000)) for state in states
        )


@pytest.mark.long
def test_each_failed_run_is_alerted_once_whoever_started_it(home: Home, mailbox: Mailbox) -> None:
    with recorded():
        pass
    home.start("-m", "dagster._daemon", "run", "-w", "workspace.yaml")
    wait_until(
        lambda: home.processes[0].poll() is not None or polls("failure_alert") > 0,
        "The daemon did not come up; see daemon.log.",
    )

    assert home.command("-m", "dagster", "job", "launch", "-w", "workspace.yaml", "-j", MOTOR) == 0
    assert home.command("-c", "import sys; from nequi_lake.cli import main; main()", "run", MOTOR) == 1
    materialize = ("-m", "dagster", "asset", "materialize", "-m", "nequi_lake.definitions", "--select")
    assert home.command(*materialize, f"group:{MOTOR}") == 1
    assert home.command("-c", KILLED_AT_STAGING) == -signal.SIGKILL

    wait_until(
        lambda: [run.status for run in home.runs().values()] == [dg.DagsterRunStatus.FAILURE] * 4,
        "Not every run is recorded as failed.",
    )
    later = polls("failure_alert") + 2
    wait_until(lambda: polls("failure_alert") >= later, "The sensor was not asked again.")
    texts = [message["Message"] for message in mailbox.messages()]
    assert Counter(run_id for text in texts for run_id in home.runs() if run_id in text) == dict.fromkeys(
        home.runs(), 1
    )
    assert len(texts) == 4
    assert sum("fail quarantine_limit: all 10 records" in text for text in texts) == 3
    assert sum("it was killed" in text for text in texts) == 1


def test_a_run_of_the_command_alerts_where_no_daemon_is(home: Home, mailbox: Mailbox) -> None:
    outcome = run_recorded(home.settings, [MOTOR])
    (message,) = mailbox.messages()
    assert outcome.run_id in message["Message"]
    assert "fail quarantine_limit" in message["Message"]


def test_an_alert_that_cannot_be_sent_does_not_hide_the_failure(
    home: Home, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = run_recorded(replace(home.settings, alert_topic=f"{mailbox.topic}-of-nobody"), [MOTOR])
    assert "fail quarantine_limit" in outcome.failures[0]
    assert "could not be sent to" in caplog.text


@pytest.mark.long
def test_a_killed_run_is_recorded_as_failed_by_the_next_one(home: Home, mailbox: Mailbox, inbox: Path) -> None:
    assert home.command("-c", KILLED_AT_STAGING) == -signal.SIGKILL
    ((killed, run),) = home.runs().items()
    assert run.status == dg.DagsterRunStatus.STARTED
    assert mailbox.messages() == []

    write_motor(inbox, motor_rows(17, 6))
    outcome = run_recorded(home.settings, [MOTOR])
    assert outcome.success
    assert {run_id: run.status.value for run_id, run in home.runs().items()} == {
        killed: "FAILURE",
        outcome.run_id: "SUCCESS",
    }
    (message,) = mailbox.messages()
    assert killed in message["Message"]
    assert "it was killed" in message["Message"]
    assert list((home.folder / ".runs_at_work").iterdir()) == []


def test_a_run_at_work_is_not_called_killed(home: Home, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []

    def look(*_: object, **__: object) -> None:
        with dg.DagsterInstance.get() as instance:
            found.extend([run.status.value for run in instance.get_runs()])
            found.extend(fail_killed_runs(instance, home.settings))
        raise UsageError("It was looked at.")

    monkeypatch.setattr("nequi_lake.defs.tables.stage_tables", look)
    outcome = run_recorded(home.settings, [MOTOR])
    assert found == ["STARTED"]
    assert "It was looked at." in outcome.failures[0]
    assert len(mailbox.messages()) == 1


def test_nothing_is_sent_to_the_makers_of_dagster(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = tmp_path / "made" / "on demand"
    monkeypatch.setenv("DAGSTER_HOME", str(new))
    with recorded() as instance:
        assert instance is not None
        assert not instance.telemetry_enabled
    own = "telemetry:\n  enabled: false\nnux:\n  enabled: false\n"
    (new / "dagster.yaml").write_text(own)
    with recorded():
        assert (new / "dagster.yaml").read_text() == own


@pytest.mark.parametrize("folder", ["some/where", "/proc/version/home"])
def test_a_home_that_cannot_be_used_is_refused_in_a_sentence(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", folder)
    with pytest.raises(UsageError, match="DAGSTER_HOME"), recorded():
        pass


def test_every_run_says_its_datasets_its_source_and_its_lake(home: Home, settings: Settings) -> None:
    run_recorded(home.settings, [MOTOR])
    ((_, run),) = home.runs().items()
    own = {name: value for name, value in run.tags.items() if "/" not in name}
    assert own == {"dataset": MOTOR, "source": settings.source, "lake": settings.uri}
