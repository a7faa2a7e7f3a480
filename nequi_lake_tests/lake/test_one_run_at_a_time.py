"""Two runs on one dataset: one works, the other waits or is told, and a killed run leaves no lock behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from nequi_lake.errors import NequiLakeError
from nequi_lake.lake.storage import StorageBackend

HOLDER = """
import sys, time
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend, open_storage
with open_storage(Settings.from_env({"NEQUI_LAKE_URI": sys.argv[1]})).lock("loans"):
    print("in", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_run(storage: StorageBackend) -> Iterator[subprocess.Popen[str]]:
    """Another process at work on ``loans``."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, storage.uri], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        yield process
        process.kill()


def test_a_second_run_is_reported_when_the_first_takes_too_long(
    storage: StorageBackend, other_run: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nequi_lake.lake.storage.base.LOCK_WAIT_S", 0.3)
    with pytest.raises(NequiLakeError, match="Another run has been at work on loans"), storage.lock("loans"):
        pass
    with storage.lock("another dataset"):
        pass


def test_a_killed_run_leaves_no_lock(storage: StorageBackend, other_run: subprocess.Popen[str]) -> None:
    other_run.kill()
    other_run.wait()
    with storage.lock("loans"):
        pass
