"""What a failure of the storage means, human-readable: what happened, what to do, and whether asking again may help."""

from __future__ import annotations

import errno
import sys

from nequi_lake.errors import NequiLakeError, StorageError
from nequi_lake.redaction import scrub


def translate_error(error: BaseException, where: str) -> NequiLakeError | None:
    """The failure in words, its causes looked at too; None where the storage is not to blame.

    Every error passes here before anybody writes it down: afterwards its messages and its causes' have no secret.

    Args:
        error: what was raised.
        where: the lake or source that was at work, for the case that the error names no file.
    """
    scrub(error)
    if isinstance(error, NequiLakeError):
        return error
    # Only who has talked to AWS can have been refused by it, and to import its libraries takes a second.
    aws = sys.modules.get("nequi_lake.lake.storage.aws")
    translated: NequiLakeError | None = aws.translate_error(error, where) if aws else None
    return translated or _explain_database(error, where) or _explain_system(error, where)


def _explain_database(error: BaseException, where: str) -> NequiLakeError | None:
    # Only who has opened a catalog in a database can have been refused by it.
    database = sys.modules.get("nequi_lake.lake.catalog.database")
    if database is None or not isinstance(error, database.DBAPIError):
        return None
    explained: NequiLakeError = database.explain_failure(error, where)
    return explained


def _explain_system(error: BaseException, where: str) -> NequiLakeError | None:
    if not isinstance(error, OSError):
        return None
    place = str(error.filename or where)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            "The disk is full.",
            where=place,
            fix="Free some space and run it again: what is published is whole, and what was half done is cleared away.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return StorageError(
            f"It cannot be written or read: {error.strerror}.",
            where=place,
            fix="Let this user read and write there, or set NEQUI_LAKE_URI elsewhere.",
        )
    return None
