"""Files written outside of the lake on request: complete or absent."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nequi_lake.errors import NequiLakeError, UsageError


def kind_of(path: Path, endings: Sequence[str]) -> str:
    """The ending of a file that may be written, in lower case.

    Raises:
        UsageError: it is none of ``endings``, the folder does not exist, or a folder has this name.
    """
    ending = path.suffix.lower()
    if ending not in endings:
        raise UsageError(
            f"It is not clear in which format to write {path.name or path}.",
            where=str(path),
            fix=f"Let the name end in one of: {', '.join(endings)}.",
        )
    check_folder(path)
    return ending


def check_folder(path: Path) -> None:
    """Check that a file can be made under this name.

    Raises:
        UsageError: its folder does not exist, or a folder has this name.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError("The folder for this file does not exist.", where=str(path), fix="Make the folder first.")
    try:
        target = path.resolve(strict=False)
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    except (OSError, RuntimeError) as refusal:
        # A link that leads to itself, a name that is too long.
        said = getattr(refusal, "strerror", None) or refusal
        raise UsageError(f"No file can have this name: {said}.", where=str(path), fix="Name another file.") from refusal
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise UsageError(f"This is {what}.", where=str(path), fix="Name a file, or pipe standard output there.")
    if not os.access(target, os.W_OK):
        raise UsageError("This file may not be written.", where=str(path), fix="Change its mode, or name another file.")


def _keep_owner_and_mode(target: Path, draft: Path) -> None:
    """Give what replaces a file its owner and mode."""
    if target.exists():
        was = target.stat()
        with suppress(PermissionError):
            os.chown(draft, was.st_uid, was.st_gid)
        draft.chmod(stat.S_IMODE(was.st_mode))


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """A temporary name next to ``path`` to write to; it replaces ``path`` at the end, and is removed on failure.

    Raises:
        NequiLakeError: the file cannot be written.
    """
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        yield draft
        _keep_owner_and_mode(target, draft)
        draft.replace(target)
    except OSError as refusal:
        raise NequiLakeError(
            f"The file could not be written: {refusal.strerror or refusal}.",
            where=str(path),
            fix="What was there before is unchanged. Is there space, and may you write there?",
        ) from refusal
    finally:
        draft.unlink(missing_ok=True)
