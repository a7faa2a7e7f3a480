"""Files written outside of the lake on request: complete or absent."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
    if path.is_dir():
        raise UsageError("This is a folder.", where=str(path), fix="Name a file.")


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
        draft.replace(target)
    except OSError as refusal:
        raise NequiLakeError(
            f"The file could not be written: {refusal.strerror or refusal}.",
            where=str(path),
            fix="What was there before is unchanged. Is there space, and may you write there?",
        ) from refusal
    finally:
        draft.unlink(missing_ok=True)
