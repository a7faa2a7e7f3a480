"""What is known of how a file is written, and why nothing is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nequi_lake.errors import UsageError
from nequi_lake.formats import RawFile

LOOKED_AT_BYTES = 2**22
"""How much of a text is looked at for its dialect; all of it has to be as that says."""


@dataclass(frozen=True)
class Sniffed:
    """How a file seems to be written.

    Attributes:
        file: the declaration that reads it.
        notes: what is not sure, with what speaks for it.
    """

    file: RawFile
    notes: tuple[str, ...] = ()


def cannot_draft(why: str, path: Path, fix: str = "") -> UsageError:
    """The error of a file of which no declaration can be drafted."""
    return UsageError(f"No declaration can be drafted: {why.rstrip('.')}.", where=str(path.resolve()), fix=fix or None)
