"""The project's own errors: what happened, where, and what to do.

A person's mistake or a bad file ends in one of these, never in a bare traceback. Nothing else belongs here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from nequi_lake.redaction import redact


class NequiLakeError(Exception):
    """Something went wrong that the user can fix. What it says has no secret in it.

    Args:
        what: what happened, in one sentence.
        where: the file, line, column, table or setting concerned.
        fix: what to do about it.
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = redact(what)
        self.where = redact(where) if where else where
        self.fix = redact(fix) if fix else fix
        super().__init__(self.what, self.where, self.fix)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  to do: {self.fix}")
        return "\n".join(lines)


class UsageError(NequiLakeError):
    """A setting or an argument is wrong; nothing was started."""


class DeclarationError(NequiLakeError):
    """A dataset's module contradicts itself."""


class TransientError(NequiLakeError):
    """A service could not be reached, was too busy or broke off; asking again later may help."""


class LockLostError(TransientError):
    """A run no longer holds its lock, so it commits nothing more; another run may be at work."""


class SourceError(NequiLakeError):
    """A source could not deliver a dataset's files, and asking again will not help."""


class RawZoneError(NequiLakeError):
    """The raw zone does not hold what was asked of it, or refuses what it was given."""


class StorageError(NequiLakeError):
    """The place where the lake is refuses what was asked of it, and asking again will not help."""


class StageError(NequiLakeError):
    """The raw records could not be turned into tables."""


class AuditError(NequiLakeError):
    """A staged dataset does not keep its contract, so nothing of it was published."""


class CatalogError(NequiLakeError):
    """A table cannot be read, or its commit was refused."""


class WarehouseError(NequiLakeError):
    """A warehouse refuses what was asked of it, or does not hold what it was given."""


class CatalogConflictError(CatalogError):
    """A commit was refused because another writer changed the table at the same time."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Say which extra of the package is not installed, where an import of the block fails.

    Raises:
        UsageError: a module is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"This needs a library that is not installed: {missing.name}.",
            where=f"the package's extra {extra!r}",
            fix=f"{sys.executable} -m pip install 'nequi_lake[{extra}]'; or, in the project's folder, make setup",
        ) from missing
