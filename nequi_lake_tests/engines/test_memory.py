"""Memory stays bounded as data grows, with very many small partitions too, and where all of it is bad: measured in
processes of their own."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from nequi_lake.lake.declared import discover
from nequi_lake_tests.conftest import MOTOR_HEADER
from nequi_lake_tests.datasets.kept import kept_file

SESSIONS, ROWS = 100, 2_000
"""Of each part of the file."""
STAGE = """
import pickle, re, sys
from pathlib import Path
from nequi_lake.lake.declared import discover
from nequi_lake.engines.polars import stage
from nequi_lake.lake.release import Release
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend, open_storage

dataset, kept = discover()["electric_motor"], pickle.loads(Path(sys.argv[1]).read_bytes())
storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": sys.argv[2]}))
release = Release(id="r", run_id="run", raw_version="v", tables=())
staged = stage(dataset, {kept.file: kept}, [table.name for table in dataset.tables], release, storage)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(staged["measurements"].rows, staged["measurements"].accounting.quarantined, peak[1])
"""


def peak_of_staging(parts: int, folder: Path, value: str) -> int:
    """Peak of resident memory, in kB, of staging a file of so many parts, of which each row must come out or be put
    aside."""
    folder.mkdir()
    measured = ",".join([value] * 12)
    texts = [
        "\n".join(
            [MOTOR_HEADER, *(f"{measured},{part * SESSIONS + n + 1}" for n in range(SESSIONS) for _ in range(ROWS))]
        )
        for part in range(parts)
    ]
    kept = kept_file(discover()["electric_motor"], folder, *texts)
    (folder / "kept").write_bytes(pickle.dumps(kept))
    ran = subprocess.run(
        [sys.executable, "-c", STAGE, folder / "kept", folder / "lake"], check=True, capture_output=True, text=True
    )
    rows, bad, peak = map(int, ran.stdout.split())
    assert sorted([rows, bad]) == [0, parts * SESSIONS * ROWS]
    return peak


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("value", ["-17.25", "hot"], ids=["that are good", "that are bad"])
def test_memory_does_not_grow_with_the_rows(value: str, tmp_path: Path) -> None:
    small = peak_of_staging(15, tmp_path / "small", value)
    assert peak_of_staging(30, tmp_path / "large", value) < 1.2 * small
