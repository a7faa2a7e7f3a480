"""Two releases of small raw files, and what may be seen of a lake that is filled from them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from filelock import FileLock, Timeout

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.build import build
from nequi_lake.defs.run import run
from nequi_lake.lake.layout import read_identity
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.faults import translate_error
from nequi_lake_tests.conftest import citation, motor_rows, only, write_citations, write_motor

DATASETS: Mapping[str, Dataset] = only("electric_motor", "cite_sum")

Content = dict[str, dict[str, list[int | str]]]
"""Dataset → table → its rows and their checksum."""


def write_inbox(folder: Path, release: str) -> None:
    """Write the raw files of release ``A`` or ``B``; no table has as many rows in one as in the other."""
    extra = 0 if release == "A" else 5
    sessions = range(1, 4 + extra)
    write_motor(folder, [row for profile in sessions for row in motor_rows(profile, 40 + extra)])
    for number, split in enumerate(("train", "validation", "test")):
        papers = range(100 * number, 100 * number + 20 + extra)
        write_citations(folder, split, [citation(n + 1, tgt=f"REF of {release}.", fields=["Art"]) for n in papers])


def expected_rows(release: str) -> dict[str, dict[str, int]]:
    """Dataset → table → rows, by what :func:`write_inbox` wrote."""
    extra = 0 if release == "A" else 5
    papers = 3 * (20 + extra)
    return {
        "electric_motor": {"sessions": 3 + extra, "measurements": (3 + extra) * (40 + extra)},
        "cite_sum": {"papers": papers, "citations": papers, "paper_fields": papers},
    }


def settings_of(lake: Path, inbox: Path, bucket: str | None = None) -> Settings:
    """A lake in one folder, filled from another; or in a bucket, and its catalog in the folder."""
    variables = {"NEQUI_LAKE_URI": str(lake), "NEQUI_LAKE_SOURCE": str(inbox)}
    if bucket:
        variables |= {
            "NEQUI_LAKE_URI": f"s3://{bucket}/{lake.name}",
            "NEQUI_LAKE_CATALOG": "sql",
            "NEQUI_LAKE_CATALOG_URI": f"sqlite:///{lake}/catalog.db",
            "NEQUI_LAKE_ENCRYPTION": os.environ.get("NEQUI_LAKE_ENCRYPTION", "AES256"),
        }
    return Settings.from_env(variables)


def run_lake(settings: Settings, datasets: Mapping[str, Dataset] = DATASETS) -> None:
    """Run the lake in this process.

    Raises:
        RuntimeError: the run failed.
    """
    outcome = run(build(settings, datasets), [], None)
    if not outcome.success:
        raise RuntimeError("; ".join((*outcome.failures, *outcome.traces)))


def refusal_of_run(settings: Settings, datasets: Mapping[str, Dataset] = DATASETS) -> str | None:
    """Run the lake in this process; what it says where it is refused in words, on one line.

    Raises:
        RuntimeError: the run failed, and does not say what to do.
    """
    outcome = run(build(settings, datasets), [], None)
    if not all("to do: " in failure for failure in outcome.failures):
        raise RuntimeError("; ".join((*outcome.failures, *outcome.traces)))
    return " ".join(" ".join(outcome.failures).split()) or None


def content_of(tables: list[LakeTable]) -> Content:
    """What the tables hold, whatever the order of their rows."""
    content: Content = {}
    for table in tables:
        rows = sorted(json.dumps(row, default=str, sort_keys=True) for row in table.to_arrow().to_pylist())
        checksum = hashlib.sha256("\n".join(rows).encode()).hexdigest()
        content.setdefault(table.published.dataset, {})[table.table.name] = [len(rows), checksum]
    return content


@dataclass
class Watcher:
    """Looks at a lake as its readers do, and says what it should not have seen.

    Attributes:
        lake: what to look at.
        releases: name → what it holds; all that may be seen.
        may_refuse: whether a reader may be refused in words now, as the catalog is harmed or the network is bad.
        seen: dataset → the release of the last look. A dataset that was seen once may not be gone.
        refused: looks that were refused.
    """

    lake: Lake
    releases: Mapping[str, Content]
    may_refuse: Callable[[], bool] = lambda: False
    seen: dict[str, str] = field(default_factory=dict)
    refused: int = 0

    def look(self) -> list[str]:
        """Read everything in every way once; what is wrong, and nothing where all is well."""
        may_refuse = self.may_refuse()
        try:
            if not self.seen and read_identity(self.lake.storage) is None:
                return []
            return [*self._tables(), *self._sql(), *self._raw()]
        except Exception as error:
            refusal = translate_error(error, self.lake.storage.uri)
            if refusal and refusal.fix and (may_refuse or self.may_refuse()):
                self.refused += 1
                return []
            return [f"a reader failed: {type(error).__name__}: {error}"]

    def _tables(self) -> list[str]:
        wrong = []
        tables = self.lake.tables()
        content = content_of(tables)
        for name in self.lake.datasets:
            if name not in content:
                wrong += [f"{name} is gone, it was of release {self.seen[name]}"] if name in self.seen else []
                continue
            fits = [release for release, whole in self.releases.items() if whole[name] == content[name]]
            if fits:
                self.seen[name] = fits[0]
            else:
                wrong.append(f"{name} is of no release: {content[name]}")
        for table in tables:
            scanned = table.scan().select(pl.len()).collect().item()
            if scanned != table.published.rows:
                wrong.append(f"{table!r}: a scan gives {scanned} rows")
        return wrong

    def _sql(self) -> list[str]:
        wrong = []
        for name in self.seen:
            tables = [table.name for table in self.lake.datasets[name].tables]
            query = ", ".join(f'(SELECT count(*) FROM "{name}"."{table}") AS "{table}"' for table in tables)
            (counts,) = self.lake.sql(f"SELECT {query}").to_pylist()
            if counts not in [{table: whole[name][table][0] for table in tables} for whole in self.releases.values()]:
                wrong.append(f"{name}: a query counts {counts}")
        return wrong

    def _raw(self) -> list[str]:
        zone = RawZone(self.lake.storage)
        wrong = []
        for dataset in self.lake.datasets.values():
            version = zone.current_version(dataset.name)
            kept = zone.complete_version(dataset, version) if version else {}
            if version and not kept:
                wrong.append(f"raw version {version} of {dataset.name} is current and not whole")
            for file in kept.values():
                if hashlib.sha256(self.lake.storage.read(file.path)).hexdigest() != file.sha256:
                    wrong.append(f"raw file {file.path} is not what its manifest says")
        return wrong


def leftovers(lake: Lake) -> list[str]:
    """What a lake that no run is at work on should not have: drafts, scratch, orphans, old reports, held locks."""
    storage = lake.storage
    files = sorted(storage.files(storage.uri))
    found = [f"a draft: {path}" for path in files if path.endswith(".draft")]
    scratch = [storage.scratch_folder(name) for name in lake.datasets]
    found += [f"in the scratch folder: {folder}" for folder in scratch if folder.exists()]
    found += [f"a lock that is held: {path}" for path in files if "/.locks/" in path and _is_held(path)]
    for dataset in lake.datasets.values():
        for table in dataset.relations:
            iceberg = lake.catalog.iceberg(dataset.name, table.name)
            snapshots = iceberg.snapshots() if iceberg else []
            named = {
                task.file.file_path
                for snapshot in snapshots
                if iceberg
                for task in iceberg.scan(snapshot_id=snapshot.snapshot_id).plan_files()
            }
            there = set(storage.files(storage.path(table.zone, dataset.name, table.name, "data")))
            found += [f"an orphan: {path}" for path in sorted(there - named)]
            found += [f"a file that a snapshot names is not there: {path}" for path in sorted(named - there)]
    for read in lake.tables():
        report = storage.path("profiling_reports", read.published.dataset, f"{read.table.name}.json")
        if json.loads(storage.read(report))["release"] != read.published.release.id:
            found.append(f"a report of another release: {report}")
    return found


def _is_held(lock: str) -> bool:
    """Whether somebody has a lock; in a bucket it is not there otherwise."""
    if lock.startswith("s3://"):
        return True
    try:
        FileLock(lock).acquire(timeout=0).lock.release()
    except Timeout:
        return True
    return False
