"""Names of columns and files in messages."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 10
_LONGEST = 60


def listed(names: Sequence[str], longest: int = _LONGEST) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(shown(name, longest) for name in names[:_NAMED]) + more


def shown(name: str, longest: int = _LONGEST) -> str:
    """A name of at most ``longest`` characters, as a Python text where something about it would not be seen."""
    cut = name if len(name) <= longest else f"{name[:longest]}…"
    return cut if cut and cut.isprintable() and cut == cut.strip() else ascii(cut)
