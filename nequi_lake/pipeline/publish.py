"""Publishing a release group: stage what is missing, audit, record what the checks found, then commit each relation.

The audit's verdict is raised before anything is committed, so no caller can publish relations that
fail a check. Everything here runs under the dataset's lock, which is checked again right before each commit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from nequi_lake.datasets.spec import Dataset, ReleaseGroup
from nequi_lake.engines.files import discard
from nequi_lake.errors import AuditError
from nequi_lake.lake.catalog.housekeeping import remove_orphans
from nequi_lake.lake.check import Check, refusals, write_record
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.release import PublishedTable, Release, StagedTable
from nequi_lake.lake.storage.base import Lock
from nequi_lake.quality.audit import Before

log = logging.getLogger(__name__)

Staged = Mapping[str, StagedTable]
"""Relation name → what was staged, or is published."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which relations of a release group a run publishes or checks.

    Attributes:
        relations: names of the relations to publish; None for all of the group.
        checked_only: names of relations to check without publishing them: what is published is audited.
    """

    relations: frozenset[str] | None = None
    checked_only: frozenset[str] = frozenset()


EVERYTHING = Selection()


@dataclass(frozen=True, kw_only=True)
class StagePlan:
    """What is to be staged and audited now.

    Attributes:
        release: what the staged relations become.
        missing: names of the relations to stage.
        kept: published relations that are audited again as they are.
        current: published relations that have the release already, to be referenced.
        before: what readers see now, to be compared with.
    """

    release: Release
    missing: Sequence[str]
    kept: Staged
    current: Staged
    before: Before


@dataclass(frozen=True, kw_only=True)
class StagedGroup:
    """Relations that are staged and audited under the dataset's lock, ready to be committed one by one.

    Attributes:
        dataset: whose relations.
        release: what readers see once all of them are committed.
        checks: what the audit found, each with the id of the release that it is of.
        relations: the selected relations by name: staged, or published already.
        kept: published relations that were audited again as they are.
        superseding: relations whose commit makes metadata old that a killed run left, so that its files can go.
    """

    lake: Lake
    dataset: Dataset
    title: str
    release: Release
    checks: Sequence[tuple[Check, str]]
    relations: Staged
    kept: Staged
    lock: Lock
    superseding: Collection[str]

    def approve(self) -> None:
        """Record what the checks found, and refuse to go on where one failed; what was staged is removed then.

        Raises:
            AuditError: a check failed; says what, where and what to do, check by check.
        """
        failed = [check for check, _ in self.checks if check.refuses]
        staged = {name: found for name, found in self.relations.items() if not isinstance(found, PublishedTable)}
        if failed:
            discard(self.dataset, staged, self.lake.storage)
        audited = {**self.kept, **({} if failed else staged)}
        for run_id in sorted({table.release.run_id for table in audited.values()}):
            names = {name for name, table in audited.items() if table.release.run_id == run_id}
            checks = [check for check, _ in self.checks if check.relation in names]
            write_record(self.lake.storage, self.dataset.name, run_id, checks)
        if failed:
            unharmed = f"Nothing of {self.title} was published; what readers see of it is as it was."
            raise AuditError("\n".join([*refusals(failed), unharmed]))

    def commit(self, name: str) -> PublishedTable:
        """Publish one relation, unless it is published already.

        Raises:
            TransientError: the lock was lost, so nothing was committed.
            CatalogConflictError: another writer changed the relation at the same time.
        """
        staged = self.relations[name]
        if isinstance(staged, PublishedTable):
            return staged
        # Before all else: another run would have cleared away what this one staged.
        self.lock.check()
        published = self.lake.catalog.publish(self.dataset, staged, fence=self.lock.check)
        log.info("%s: published %s rows, release %s", staged.name, f"{staged.rows:,}", staged.release.id)
        if name in self.superseding:
            remove_orphans(self.dataset, self.lake.catalog, self.lake.storage, [name])
        return published

    def commit_all(self) -> dict[str, PublishedTable]:
        """Publish every selected relation; relation name → what readers see once all are published.

        Raises:
            AuditError: a check failed, so nothing was committed.
        """
        self.approve()
        return {name: self.commit(name) for name in self.relations}


@dataclass(frozen=True)
class PendingCommit:
    """A relation of a staged group that is approved: persisting it commits it, while the group's lock is held."""

    group: StagedGroup
    name: str

    @property
    def is_new(self) -> bool:
        """Whether there is something to commit; the relation is published already otherwise."""
        return not isinstance(self.group.relations[self.name], PublishedTable)

    def commit(self) -> PublishedTable:
        """Publish the relation, as :meth:`StagedGroup.commit` does."""
        return self.group.commit(self.name)


def attempt_id(run_id: str) -> str:
    """A name for one attempt of a run; names of later attempts sort behind it."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{run_id[:8]}"


def stage_group(
    lake: Lake,
    dataset: Dataset,
    group: ReleaseGroup,
    release: Release,
    selection: Selection,
    lock: Lock,
    *,
    title: str,
    stage_and_audit: Callable[[StagePlan], tuple[Staged, list[Check]]],
    superseding: Collection[str] = (),
) -> StagedGroup:
    """Stage and audit the selected relations of a release group.

    Relations that have the release already, with all their files, are not staged again.

    Args:
        lake: the lake.
        dataset: whose relations.
        group: the relations that are released together.
        release: what they become; its sequence is given here.
        selection: which of them to publish or check.
        lock: the hold on the dataset.
        title: what people call the group.
        stage_and_audit: stages the missing relations and audits all that are to be.
        superseding: what :func:`remove_orphans` returned.
    """
    names = group.names
    release = replace(release, sequence=lake.catalog.next_sequence(dataset, group, release.id))
    newest = {name: lake.catalog.newest(dataset.name, name) for name in names}
    current = {name: table for name, table in newest.items() if table and _has(table, release, lake)}
    selected = [name for name in names if selection.relations is None or name in selection.relations]
    checked_only = selection.checked_only.difference(selected)
    kept = {
        **{name: table for name, table in newest.items() if table and name in checked_only},
        **{name: table for name, table in current.items() if name in selected},
    }
    missing = [name for name in selected if name not in current]
    if not missing:
        log.info("%s: nothing to publish, release %s is already published", title, release.id)
    staged, checks = stage_and_audit(
        StagePlan(
            release=release,
            missing=missing,
            kept=kept,
            current=current,
            before=Before(
                relations={name: table for name, table in newest.items() if table},
                accepted=lake.settings.volume_accepted,
            ),
        )
    )
    releases = {name: table.release.id for name, table in {**kept, **staged}.items()}
    return StagedGroup(
        lake=lake,
        dataset=dataset,
        title=title,
        release=release,
        checks=[(check, releases.get(check.relation, release.id)) for check in checks],
        relations={name: staged.get(name) or current[name] for name in selected},
        kept=kept,
        lock=lock,
        superseding=superseding,
    )


def _has(table: PublishedTable, release: Release, lake: Lake) -> bool:
    """Whether a published relation has a release; one whose files somebody removed is made again."""
    same = (table.release.id, table.release.sequence) == (release.id, release.sequence)
    return same and not lake.storage.missing(table.paths)
