"""Reports: the profile of a published relation as a page, JSON and CSV, and the index of all reports of the lake."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import TransientError
from nequi_lake.lake.check import read_record
from nequi_lake.lake.layout import REPORTS, report_path
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.profiling.dictionary import dictionary_page
from nequi_lake.profiling.index import TableState, facts_of_report, index_page
from nequi_lake.profiling.profile import ColumnProfile, profile
from nequi_lake.profiling.report import Report, report

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class WrittenReport:
    """A report as written into the lake.

    Attributes:
        table: the relation that was profiled, as readers saw it.
        report: its content.
        links: ``html``, ``csv`` and ``json`` → where it can be opened.
    """

    table: LakeTable
    report: Report
    links: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class WrittenIndex:
    """The index of all reports, and the data dictionary.

    Attributes:
        tables: every declared relation of the lake, as the index shows it.
        links: ``index`` and ``dictionary`` → where it can be opened.
    """

    tables: list[TableState]
    links: Mapping[str, str]


def profile_relation(table: LakeTable) -> list[ColumnProfile]:
    """The profile of every column of a published relation: :func:`nequi_lake.profiling.profile.profile`."""
    log.info("%s: profiling %s rows", table.published.name, f"{table.published.rows:,}")
    return profile(table)


def write_report(lake: Lake, name: str, profiled: Sequence[ColumnProfile], *, snapshot_id: int) -> WrittenReport:
    """Write the report of a relation; holds its dataset's lock while it does.

    Args:
        lake: the lake.
        name: ``<dataset>.<relation>``.
        profiled: what :func:`profile_relation` gave.
        snapshot_id: the snapshot that was profiled.

    Raises:
        TransientError: readers see another snapshot by now.
    """
    dataset, relation = name.split(".")
    # Under the lock, or another run's maintenance would take a temporary file of the report for one left behind.
    with lake.storage.lock(dataset):
        table = lake.table(name)
        published = table.published
        if published.snapshot_id != snapshot_id:
            raise TransientError(
                f"{name} was published again while it was profiled; a report is of one snapshot.",
                where=name,
                fix="Make the report again.",
            )
        json_path = report_path(lake.storage, dataset, relation, "json")
        made = report(
            table,
            profiled,
            checks=read_record(lake.storage, dataset, published.release.run_id, relation),
            earlier=lake.storage.read(json_path) if lake.storage.exists(json_path) else None,
        )
        links = {}
        # The JSON comes last: what the next report compares with is of a complete report.
        for ending, content in made.files().items():
            path = report_path(lake.storage, dataset, relation, ending)
            lake.storage.write(path, content)
            links[ending] = lake.storage.link(path)
    return WrittenReport(table=table, report=made, links=links)


def write_index(lake: Lake) -> WrittenIndex:
    """Write the index of all reports and the data dictionary; of two writers the second sees what the first wrote."""
    with lake.storage.lock(REPORTS):
        folder = lake.storage.path(REPORTS)
        for draft in lake.storage.temporary_files(folder):
            if draft.rsplit("/", 1)[0] == folder:
                lake.storage.remove(draft)
        tables = [state for dataset in lake.datasets.values() for state in _states(lake, dataset)]
        pages = {
            "index": index_page(tables, datetime.now(UTC)),
            "dictionary": dictionary_page(lake.datasets.values(), [t.name for t in tables if t.report]),
        }
        links = {}
        for name, content in pages.items():
            path = f"{folder}/{name}.html"
            lake.storage.write(path, content)
            links[name] = lake.storage.link(path)
    return WrittenIndex(tables=tables, links=links)


def _states(lake: Lake, dataset: Dataset) -> Iterator[TableState]:
    published = lake.published(dataset)
    for table in dataset.relations:
        path = report_path(lake.storage, dataset.name, table.name, "json")
        content = lake.storage.read(path) if lake.storage.exists(path) else None
        yield TableState(
            dataset=dataset, table=table, published=published.get(table.name), report=facts_of_report(content)
        )
