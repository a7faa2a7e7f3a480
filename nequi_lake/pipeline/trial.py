"""Tries a dataset on its files: all that a run would find, in a lake that is thrown away, and nothing published."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.formats.codecs import codec_of
from nequi_lake.formats.magic import no_text
from nequi_lake.lake.check import Check
from nequi_lake.lake.quarantine import BrokenRule, broken_rules, quarantined_records
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.fetch import fetched_files, structure_checks
from nequi_lake.pipeline.tables import stage_tables
from nequi_lake.sources import Source, open_source

_BEGINNING_BYTES = 2**16
_FIX = "Change the declaration where the files are right, or get other files."
_LIMITS = ("NEQUI_LAKE_ZIP_", "NEQUI_LAKE_MAX_")


@dataclass(frozen=True)
class Trial:
    """What a run would find.

    Attributes:
        checks: of the files, and of the tables where these could be read.
        broken: the rules that records break, file by file.
        rows: table → the rows that it would have.
    """

    checks: tuple[Check, ...]
    broken: tuple[BrokenRule, ...] = ()
    rows: Mapping[str, int] | None = None

    @property
    def would_publish(self) -> bool:
        """Whether a run would publish the tables."""
        return self.rows is not None and not any(check.refuses for check in self.checks)


def try_dataset(dataset: Dataset, source: Source) -> Trial:
    """Fetch, stage and audit a dataset, and throw all of it away.

    Args:
        dataset: which; it may be a draft.
        source: where its files come from.

    Raises:
        SourceError: a file is not there.
        StageError: the engine could not read a file.
    """
    with tempfile.TemporaryDirectory(prefix="nequi-lake-try-") as folder:
        # What is thrown away needs nobody's key.
        of_trial = {"NEQUI_LAKE_URI": f"{folder}/lake", "NEQUI_LAKE_HASH_KEY": secrets.token_hex()}
        settings = Settings.from_env({**_limits(), **of_trial})
        lake = Lake(settings, {dataset.name: dataset})
        zone = RawZone(lake.storage)
        with fetched_files(lake, dataset, source) as files:
            of_files = tuple(structure_checks(dataset, files).values())
            for file in files:
                zone.keep(dataset, file)
        if any(check.refuses for check in of_files):
            return Trial(of_files)
        with stage_tables(lake, dataset, "try", is_trial=True) as staged:
            run_ids = {table.release.run_id for table in staged.relations.values()}
            records = (
                quarantined_records(lake.storage, dataset.name, run_id, file.name)
                for run_id in run_ids
                for file in dataset.readable_files
            )
            return Trial(
                # What a check advises otherwise is to look into the lake, which is gone by then.
                checks=(*of_files, *(replace(check, fix=_FIX) for check, _ in staged.checks)),
                broken=tuple(rule for of_file in records for rule in broken_rules(dataset, of_file)),
                rows={name: table.rows for name, table in staged.relations.items()},
            )


@contextmanager
def source_at(dataset: Dataset, path: Path, first: int | None = None) -> Iterator[Source]:
    """A source that has a dataset's files from a folder, or from a file where the dataset has one.

    Args:
        dataset: which.
        path: the folder or file.
        first: take only so many lines of each file; all of one that is compressed, has no lines, or is a JSON array.

    Raises:
        SourceError: there is no such folder or file.
    """
    if not path.exists():
        raise SourceError("There is no such file or folder.", where=str(path), fix="Correct the path.")
    with tempfile.TemporaryDirectory(prefix="nequi-lake-inbox-") as folder:
        inbox = Path(folder) / dataset.name
        inbox.mkdir()
        if path.is_dir():
            for found in path.rglob("*"):
                if found.is_file():
                    target = inbox / found.relative_to(path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _take(found, target, first)
        else:
            # The source unpacks a zip by itself.
            is_named = len(dataset.files) == 1 and path.suffix.lower() != ".zip"
            _take(path, inbox / (dataset.files[0].name if is_named else path.name), first)
        there = {"NEQUI_LAKE_SOURCE": folder, "NEQUI_LAKE_SOURCE_LINKS": "follow"}
        yield open_source(Settings.from_env({**_limits(), **there}))


def _limits() -> Mapping[str, str]:
    """The settings of the process that are limits."""
    return {name: value for name, value in os.environ.items() if name.startswith(_LIMITS)}


def _take(found: Path, target: Path, first: int | None) -> None:
    if first is not None:
        with found.open("rb") as stream:
            beginning = stream.read(_BEGINNING_BYTES)
            stream.seek(0)
            if _has_lines(beginning):
                with target.open("wb") as copy:
                    copy.writelines(islice(stream, first))
                return
    target.symlink_to(found.resolve())


def _has_lines(beginning: bytes) -> bool:
    """Whether a file that begins with these bytes can be cut between two lines."""
    if codec_of(beginning) or no_text(beginning, ""):
        return False
    head = beginning.lstrip(b"\xef\xbb\xbf \t\r\n")
    first = head.split(b"\n", 1)[0].rstrip()
    return not head.startswith(b"[") and (not head.startswith(b"{") or first.endswith(b"}"))
