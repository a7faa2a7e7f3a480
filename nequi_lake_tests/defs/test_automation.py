"""What runs by itself: sensors of new versions, freshness, second tries, and who is told of a failure."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import dagster as dg
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs import failures as failures_module
from nequi_lake.defs.build import build
from nequi_lake.defs.run import run, run_recorded
from nequi_lake.errors import SourceError, TransientError
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.raw_file import RawPart
from nequi_lake.lake.settings import Settings
from nequi_lake.sources.base import Source
from nequi_lake.sources.folder import FolderSource
from nequi_lake_tests.aws import Mailbox
from nequi_lake_tests.conftest import motor_rows, only, write_motor

MOTOR = "electric_motor"

LIMITS = UnpackLimits(max_bytes=1, max_ratio=1, max_members=1)


@dataclass
class Publisher(Source):
    """A source with versions, which may be away: it hands out what lies in a folder."""

    folder: Path
    now: str | None = "1"
    failures: list[Exception] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    has_datasets: bool = True

    is_sample = False

    def describe(self) -> str:
        return "publisher"

    def account(self) -> str:
        return "a friend"

    def offers(self, dataset: Dataset) -> bool:
        return self.has_datasets

    def version(self, dataset: Dataset, /) -> str | None:
        if self.failures:
            raise self.failures.pop()
        return self.now

    def fetch(self, dataset: Dataset, into: Path) -> list[RawPart]:
        self.fetched.append(str(self.now))
        delivered = FolderSource(str(self.folder), limits=LIMITS).fetch(dataset, into)
        return [replace(file, source_version=self.now, licence="CC0, says the publisher") for file in delivered]


@pytest.fixture
def publisher(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """The source of every lake that the test builds."""
    source = Publisher(inbox)
    monkeypatch.setattr("nequi_lake.sources.open_source", lambda settings, place: source)
    monkeypatch.setattr(failures_module, "RETRY_WAIT_S", 0.0)
    return source


@dataclass
class Polls:
    """The motor's sensor, asked again and again as a daemon asks it."""

    definitions: dg.Definitions
    cursor: str | None = None

    def ask(self) -> str:
        """The run key that the next poll requests a run under, or why it requests none."""
        repository = self.definitions.get_repository_def()
        sensor = repository.get_sensor_def(f"{MOTOR}_new_version")
        resources = dict(self.definitions.resources or {})
        with dg.build_sensor_context(cursor=self.cursor, repository_def=repository, resources=resources) as context:
            tick = sensor.evaluate_tick(context)
        self.cursor = tick.cursor or self.cursor
        return ", ".join(str(request.run_key) for request in tick.run_requests or ()) or str(tick.skip_message)


@pytest.fixture
def polls(publisher: Publisher, settings: Settings) -> Polls:
    """A sensor that nobody has asked yet."""
    return Polls(build(settings, only(MOTOR)))


def test_a_run_is_requested_for_a_new_version_and_for_no_other(polls: Polls, publisher: Publisher) -> None:
    assert polls.ask() == "electric_motor version 1"
    assert polls.ask() == "Version 1 is the one that was seen before."
    publisher.now = "2"
    assert polls.ask() == "electric_motor version 2"
    assert polls.ask() == "Version 2 is the one that was seen before."


def test_a_version_that_the_lake_has_is_no_news(polls: Polls, settings: Settings, publisher: Publisher) -> None:
    assert run(polls.definitions, (), None).success
    assert polls.ask() == "Version 1 is in the lake already."
    assert polls.ask() == "Version 1 is the one that was seen before."


def test_a_source_that_is_away_is_asked_again(polls: Polls, publisher: Publisher) -> None:
    publisher.failures = [TransientError("Kaggle could not be reached.")]
    assert polls.ask() == "Kaggle could not be reached. The next poll asks again."
    assert polls.ask() == "electric_motor version 1"


def test_a_source_that_refuses_fails_the_poll_and_says_why(polls: Polls, publisher: Publisher) -> None:
    publisher.failures = [SourceError("The terms are not accepted.", fix="Accept them.")]
    with pytest.raises(Exception, match="Accept them") as told:
        polls.ask()
    assert "The terms are not accepted." in str(told.value.__cause__ or told.value)


def test_a_source_without_versions_is_left_to_the_schedule(polls: Polls, publisher: Publisher) -> None:
    publisher.now = None
    assert "the schedule refreshes the dataset" in polls.ask()


def test_a_kept_version_is_not_fetched_again_and_a_new_one_is(
    polls: Polls, settings: Settings, publisher: Publisher, inbox: Path
) -> None:
    definitions = polls.definitions
    lake = Lake(settings, only(MOTOR))
    assert run(definitions, (), None).success
    first = lake.table("electric_motor.sessions").published
    assert run(definitions, (), None).success
    assert publisher.fetched == ["1"]
    assert lake.table("electric_motor.sessions").published.snapshot_id == first.snapshot_id

    publisher.now = "2"
    write_motor(inbox, motor_rows(5, 3))
    assert run(definitions, (), None).success
    assert publisher.fetched == ["1", "2"]
    assert lake.table("electric_motor.sessions").published.rows == 1

    # The publisher went back: what was kept then is current again, without a download.
    publisher.now = "1"
    assert run(definitions, (), None).success
    assert publisher.fetched == ["1", "2"]
    assert lake.table("electric_motor.sessions").published.rows == first.rows
    kept = RawZone(lake.storage).newest(lake.datasets[MOTOR])["measures_v2.csv"]
    assert (kept.version, kept.licence) == ("1", "CC0, says the publisher")


def test_a_kept_version_of_which_a_file_is_gone_is_fetched_again(
    polls: Polls, settings: Settings, publisher: Publisher
) -> None:
    assert run(polls.definitions, (), None).success
    lake = Lake(settings)
    Path(RawZone(lake.storage).newest(lake.datasets[MOTOR])["measures_v2.csv"].path).unlink()
    assert run(polls.definitions, (), None).success
    assert publisher.fetched == ["1", "1"]


def test_what_may_pass_is_tried_again(polls: Polls, publisher: Publisher, caplog: pytest.LogCaptureFixture) -> None:
    publisher.failures = [TransientError("Kaggle was too busy.")] * 2
    with caplog.at_level(logging.WARNING, "nequi_lake"):
        assert run(polls.definitions, (), None).success
    assert caplog.text.count("Kaggle was too busy. Trying again") == 2


def test_what_does_not_pass_is_reported_in_its_own_words(polls: Polls, publisher: Publisher) -> None:
    publisher.failures = [TransientError("Kaggle was too busy.", where="kaggle.com", fix="Wait.")] * 9
    outcome = run(polls.definitions, (), None)
    assert outcome.failures == ("Kaggle was too busy.\n  where: kaggle.com\n  to do: Wait.",)
    assert len(publisher.failures) == 9 - 1 - failures_module.MAX_RETRIES


def test_what_no_second_try_can_cure_is_not_tried_again(polls: Polls, publisher: Publisher) -> None:
    publisher.failures = [SourceError("It is not there.")] * 2
    assert run(polls.definitions, (), None).failures == ("It is not there.",)
    assert len(publisher.failures) == 1


def scheduled(polls: Polls) -> str:
    """Whether the schedule starts a run, or why not."""
    repository = polls.definitions.get_repository_def()
    schedule = repository.get_schedule_def(f"{MOTOR}_schedule")
    resources = dict(polls.definitions.resources or {})
    with dg.build_schedule_context(repository_def=repository, resources=resources) as context:
        tick = schedule.evaluate_tick(context)
    return f"{len(tick.run_requests or ())} runs" if tick.run_requests else str(tick.skip_message)


def test_a_dataset_that_the_source_does_not_have_is_left_as_it_is(polls: Polls, publisher: Publisher) -> None:
    assert scheduled(polls) == "1 runs"
    publisher.has_datasets = False
    assert scheduled(polls) == "The publisher does not have electric_motor, which is left as it is."
    assert polls.ask() == "The publisher does not have electric_motor, which is left as it is."


def test_every_asset_says_how_fresh_it_should_be(settings: Settings, datasets: Mapping[str, Dataset]) -> None:
    graph = build(settings, datasets).resolve_asset_graph()
    policies = [graph.get(key).freshness_policy for key in graph.get_all_asset_keys()]
    # Raw files; tables and marts, and a report of each; a dataset's pages.
    assert len(policies) == 6 + 2 * sum(len(dataset.relations) for dataset in datasets.values()) + 3
    hours = {p.fail_window.to_timedelta().total_seconds() / 3600 for p in policies}  # type: ignore[union-attr]
    assert hours == {36}


def test_no_two_assets_of_a_dataset_look_alike_in_its_lineage(
    settings: Settings, datasets: Mapping[str, Dataset]
) -> None:
    """The lineage shows only the last part of a key."""
    graph = build(settings, datasets).resolve_asset_graph()
    shown = Counter((graph.get(key).group_name, key.path[-1]) for key in graph.get_all_asset_keys())
    assert [name for name, times in shown.items() if times > 1] == []


def test_automation_is_off_until_someone_wants_it(settings: Settings) -> None:
    for wanted, status in ((False, "STOPPED"), (True, "RUNNING")):
        definitions = build(replace(settings, automation=wanted), only(MOTOR)).get_repository_def()
        assert definitions.get_schedule_def(f"{MOTOR}_schedule").default_status.value == status
        assert definitions.get_sensor_def(f"{MOTOR}_new_version").default_status.value == status
        assert definitions.get_sensor_def("failure_alert").default_status.value == "RUNNING"


def test_a_failed_check_is_reported_by_the_sensor(
    settings: Settings, mailbox: Mailbox, inbox: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_motor(inbox, motor_rows(17, 10, coolant="warm"))
    settings = replace(settings, alert_topic=mailbox.topic)
    definitions = build(settings, only(MOTOR))
    with dg.DagsterInstance.ephemeral() as instance:
        outcome = definitions.resolve_job_def(MOTOR).execute_in_process(instance=instance, raise_on_error=False)
        assert not outcome.success
        context = dg.build_run_status_sensor_context(
            sensor_name="failure_alert",
            dagster_instance=instance,
            dagster_run=outcome.dagster_run,
            dagster_event=outcome.get_run_failure_event(),
        ).for_run_failure()
        sensor = definitions.get_repository_def().get_sensor_def("failure_alert")
        assert isinstance(sensor, dg.RunStatusSensorDefinition)
        with caplog.at_level(logging.ERROR, "nequi_lake"):
            sensor(context)
    (message,) = mailbox.messages()
    assert "fail quarantine_limit: all 10 records" in message["Message"]
    assert settings.uri in message["Message"]
    assert outcome.run_id in message["Message"]
    assert message["Subject"].startswith("nequi_lake: electric_motor.")
    assert "fail quarantine_limit" in caplog.text


def test_a_run_that_no_daemon_sees_reports_its_own_failure(
    settings: Settings, mailbox: Mailbox, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    write_motor(inbox, motor_rows(17, 10, coolant="wärm" * 100_000))
    run_recorded(replace(settings, alert_topic=mailbox.topic), [MOTOR])
    (message,) = mailbox.messages()
    assert "fail quarantine_limit" in message["Message"]
