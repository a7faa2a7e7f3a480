"""One run at a time on a lake in a bucket: whoever comes second waits, and a run that was killed keeps nobody out."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import botocore.exceptions
import pytest

from nequi_lake.errors import LockLostError, NequiLakeError
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend, open_storage
from nequi_lake.lake.storage import lease as lease_module

pytestmark = pytest.mark.bucket


@pytest.fixture
def storage(bucket_lake: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> StorageBackend:
    """The storage of an empty lake in a bucket, whose runs look often whether they may go on."""
    monkeypatch.setattr(lease_module, "_LOOK_S", 0.05)
    return open_storage(Settings.from_env(bucket_lake))


def lease_of(storage: StorageBackend) -> str:
    """Where the lease of ``loans`` is."""
    return storage.path(".locks", "loans.json")


def written_at(storage: StorageBackend) -> datetime:
    """When the lease was last written."""
    return storage.files(storage.path(".locks"))[lease_of(storage)].modified_at


def test_two_runs_of_one_dataset_never_overlap(storage: StorageBackend) -> None:
    inside, most, done = 0, 0, 0

    def work() -> None:
        nonlocal inside, most, done
        with storage.lock("loans"):
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


def test_two_datasets_do_not_wait_for_each_other(storage: StorageBackend) -> None:
    with storage.lock("loans"), storage.lock("papers"):
        assert storage.list(storage.path(".locks")) == ["loans.json", "papers.json"]


def test_who_waits_is_reported_for_whom_and_gives_up(
    storage: StorageBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("nequi_lake.lake.storage.base.LOCK_WAIT_S", 0.3)
    with (
        caplog.at_level(logging.INFO, "nequi_lake"),
        storage.lock("loans"),
        pytest.raises(NequiLakeError, match="Another run has been at work on loans") as told,
        storage.lock("loans"),
    ):
        pytest.fail("two runs are in it")
    assert told.value.where == lease_of(storage)
    assert "another run is at work on it (process" in caplog.text


def test_the_lease_of_a_killed_run_is_taken_over(storage: StorageBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.write(lease_of(storage), json.dumps({"host": "gone", "process": 1}).encode())
    monkeypatch.setattr(lease_module, "STALE_S", 1.0)
    started = time.monotonic()
    with storage.lock("loans"):
        assert time.monotonic() - started > 0.5
        assert b"gone" not in storage.read(lease_of(storage))


def test_a_lease_is_kept_fresh_while_the_work_goes_on(storage: StorageBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "STALE_S", 0.4)
    with storage.lock("loans"):
        first = written_at(storage)
        time.sleep(1.5)
        assert written_at(storage) > first


def test_a_run_that_lost_its_lease_says_so_and_leaves_the_other_s(
    storage: StorageBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "STALE_S", 0.4)

    def lose_it() -> None:
        with storage.lock("loans"):
            storage.write(lease_of(storage), b"{}")
            time.sleep(0.5)

    with pytest.raises(LockLostError, match="The lock of loans was lost"):
        lose_it()
    assert storage.read(lease_of(storage)) == b"{}"


def test_a_failure_gives_the_lease_back(storage: StorageBackend) -> None:
    with pytest.raises(ZeroDivisionError), storage.lock("loans"):
        raise ZeroDivisionError
    assert not storage.exists(lease_of(storage))


def test_a_lease_that_another_run_took_over_is_found_out_by_its_check(storage: StorageBackend) -> None:
    with storage.lock("loans") as lock:
        lock.check()
        storage.write(lease_of(storage), json.dumps({"nonce": "another run's"}).encode())
        with pytest.raises(LockLostError, match="another run may be at work"):
            lock.check()
    assert b"another run's" in storage.read(lease_of(storage))


def test_a_lease_that_could_not_be_kept_fresh_is_not_trusted(
    storage: StorageBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storage.lock("loans") as lock:
        lock.check()
        later = time.monotonic() + lease_module.STALE_S
        monkeypatch.setattr("nequi_lake.lake.storage.lease.time.monotonic", lambda: later)
        with pytest.raises(LockLostError):
            lock.check()
        monkeypatch.undo()


def test_a_write_whose_answer_was_lost_is_known_for_its_own(
    storage: StorageBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = storage._client  # type: ignore[attr-defined]
    put, answers_lost = client.put_object, list[object]()

    def sent_twice(**arguments: Any) -> Any:
        answer = put(**arguments)
        if answers_lost:
            return answer
        answers_lost.append(answer)
        # The connection broke before the answer came, and the SDK sent the request again.
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            put(**arguments)
        raise refused.value

    monkeypatch.setattr(client, "put_object", sent_twice)
    started = time.monotonic()
    with storage.lock("loans") as lock:
        lock.check()
    assert answers_lost
    assert time.monotonic() - started < 10
    assert not storage.exists(lease_of(storage))


def broken(*_: Any, **__: Any) -> Any:
    """An answer that broke off."""
    raise botocore.exceptions.ReadTimeoutError(endpoint_url="http://somewhere")


def test_a_write_of_which_only_the_loss_of_its_answer_is_known_is_known_for_its_own(
    storage: StorageBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = storage._client  # type: ignore[attr-defined]
    put = client.put_object

    def unanswered(**arguments: Any) -> Any:
        put(**arguments)
        return broken()

    monkeypatch.setattr(client, "put_object", unanswered)
    with storage.lock("loans") as lock:
        lock.check()
    assert not storage.exists(lease_of(storage))


def test_half_an_answer_is_asked_for_again(storage: StorageBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    client: Any = storage._client  # type: ignore[attr-defined]
    get, asked = client.get_object, list[int]()

    def now_and_then(**arguments: Any) -> Any:
        asked.append(1)
        return broken() if len(asked) % 2 else get(**arguments)

    monkeypatch.setattr(client, "get_object", now_and_then)
    with storage.lock("loans") as lock:
        lock.check()
    assert len(asked) == 4
    assert not storage.exists(lease_of(storage))


def test_a_lease_that_cannot_be_given_back_does_not_fail_the_work(
    storage: StorageBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(storage._client, "delete_object", broken)  # type: ignore[attr-defined]
    with storage.lock("loans") as lock:
        lock.check()
    assert "could not be removed, and is free in 120 s" in caplog.text
