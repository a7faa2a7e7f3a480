"""All that lies below a folder, and what of it cannot be read: links that lead out of it, and what is no file."""

from __future__ import annotations

import os
from pathlib import Path

from nequi_lake.errors import SourceError

_LEADS_OUT = (
    "it is a link that leads out of the source's folder (NEQUI_LAKE_SOURCE_LINKS=follow takes such files, where "
    "whoever fills the folder may read all that this user may)"
)


def found_below(folder: Path, within: Path | None) -> tuple[list[str], dict[str, str]]:
    """Return the names of all that is below a folder, as paths in it, and those that cannot be read, with the reason.

    Args:
        folder: where to look.
        within: links may not lead out of this folder; None where they may lead anywhere.

    Raises:
        SourceError: the folder itself is a link that leads out.
    """
    bound = within and within.resolve()
    if bound and not folder.resolve().is_relative_to(bound):
        raise SourceError(
            f"The folder cannot be read: {_LEADS_OUT}.",
            where=str(folder),
            fix="Put the files themselves into a folder of this name, or allow such links.",
        )
    names: list[str] = []
    unreadable: dict[str, str] = {}
    waiting = [(folder, frozenset([folder.resolve()]))]
    while waiting:
        current, above = waiting.pop()
        try:
            with os.scandir(current) as found:
                entries = list(found)
        except OSError as error:
            name = current.relative_to(folder).as_posix()
            names.append(name)
            unreadable[name] = f"the folder cannot be listed ({error.strerror})"
            continue
        for entry in entries:
            path = Path(entry.path)
            problem = _problem(entry, path, bound)
            if problem is None and entry.is_dir():
                if (resolved := path.resolve()) not in above:
                    waiting.append((path, above | {resolved}))
                    continue
                problem = "it is a link that leads back to a folder in which it lies"
            name = path.relative_to(folder).as_posix()
            names.append(name)
            if problem:
                unreadable[name] = problem
    return sorted(names), unreadable


def _problem(entry: os.DirEntry[str], path: Path, bound: Path | None) -> str | None:
    """Why an entry of a folder cannot be read; None where it can."""
    if entry.is_symlink():
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return "it is a link that leads nowhere"
        if bound and not target.is_relative_to(bound):
            return _LEADS_OUT
    return None if entry.is_dir() or entry.is_file() else "it is neither a file nor a folder"
