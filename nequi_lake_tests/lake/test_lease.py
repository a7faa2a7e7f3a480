"""One run at a time on a lake in a bucket: whoever comes second waits, and a run that was killed keeps nobody out."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping

import pytest

from nequi_lake.errors import NequiLakeError, TransientError
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import Storage
from nequi_lake.lake.storage import lease as lease_module

pytestmark = pytest.mark.bucket


@pytest.fixture
def storage(bucket_lake: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Storage:
    """The storage of an empty lake in a bucket, whose runs look often whether they may go on."""
    monkeypatch.setattr(lease_module, "_LOOK_S", 0.05)
    return Storage(Settings.from_env(bucket_lake))


def lease_of(storage: Storage) -> str:
    """Where the lease of ``loans`` is."""
    return storage.path(".locks", "loans.json")


def test_two_runs_of_one_dataset_never_overlap(storage: Storage) -> None:
    inside, most, done = 0, 0, 0

    def work() -> None:
        nonlocal inside, most, done
        with storage.alone("loans"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.1)
            inside -= 1
            done += 1

    runs = [threading.Thread(target=work) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert (most, done) == (1, 4)
    assert not storage.exists(lease_of(storage))


def test_two_datasets_do_not_wait_for_each_other(storage: Storage) -> None:
    with storage.alone("loans"), storage.alone("papers"):
        assert storage.list(storage.path(".locks")) == ["loans.json", "papers.json"]


def test_who_waits_is_told_for_whom_and_gives_up(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("nequi_lake.lake.storage.LOCK_WAIT_S", 0.3)
    with (
        caplog.at_level(logging.INFO, "nequi_lake"),
        storage.alone("loans"),
        pytest.raises(NequiLakeError, match="Another run has been at work on loans") as told,
        storage.alone("loans"),
    ):
        pytest.fail("two runs are in it")
    assert told.value.where == lease_of(storage)
    assert "another run is at work on it (process" in caplog.text


def test_the_lease_of_a_killed_run_is_taken_over(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.write(lease_of(storage), json.dumps({"host": "gone", "process": 1}).encode())
    monkeypatch.setattr(lease_module, "STALE_S", 1.0)
    started = time.monotonic()
    with storage.alone("loans"):
        assert time.monotonic() - started > 0.5
        assert b"gone" not in storage.read(lease_of(storage))


def test_a_lease_is_kept_fresh_while_the_work_goes_on(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "STALE_S", 0.4)
    with storage.alone("loans"):
        first = storage.read(lease_of(storage))
        time.sleep(0.5)
        assert storage.read(lease_of(storage)) != first


def test_a_run_that_lost_its_lease_says_so_and_leaves_the_other_s(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "STALE_S", 0.4)

    def lose_it() -> None:
        with storage.alone("loans"):
            storage.write(lease_of(storage), b"{}")
            time.sleep(0.5)

    with pytest.raises(TransientError, match="The hold on loans was lost"):
        lose_it()
    assert storage.read(lease_of(storage)) == b"{}"


def test_a_failure_gives_the_lease_back(storage: Storage) -> None:
    with pytest.raises(ZeroDivisionError), storage.alone("loans"):
        raise ZeroDivisionError
    assert not storage.exists(lease_of(storage))
