"""What came of a file, by one criterion for every reader."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = tuple[str | None, ...]
RIGHT, NAMED, REFUSED, WRONG, LOST = "right", "named", "refused", "wrong", "lost"
OUTCOMES = (RIGHT, NAMED, REFUSED, WRONG, LOST)
"""Every record is there as it should be; those that are not are named; the file is refused, with a reason; a record is
there that should not be; a record is not there and nothing says so."""


@dataclass(frozen=True)
class Read:
    """What a reader made of a file.

    Attributes:
        rows: the records that it gives.
        named: how many records it says that it leaves out.
        refused: why it refuses the file; None where it does not.
        header: the names of the columns.
    """

    rows: Sequence[Row] = ()
    named: int = 0
    refused: str | None = None
    header: Sequence[str] = ()


def outcome(read: Read, clean: Sequence[Row]) -> str:
    """Which of :data:`OUTCOMES` it is. An empty value and none are the same."""
    if read.refused is not None:
        return REFUSED
    left = Counter(map(_plain, clean))
    extra = Counter(map(_plain, read.rows)) - left
    # A file with its table twice gives each record twice.
    if any(row not in left for row in extra):
        return WRONG
    missing = sum((left - Counter(map(_plain, read.rows))).values())
    if missing > read.named:
        return LOST
    return NAMED if missing or read.named else RIGHT


def _plain(row: Row) -> Row:
    return tuple(value or None for value in row)


@dataclass
class Tally:
    """Outcomes by kind of fault."""

    by_kind: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, came: str, reason: str | None = None) -> None:
        """Count a file."""
        self.by_kind[kind][came] += 1
        if reason:
            self.reasons[reason] += 1

    @property
    def total(self) -> Counter[str]:
        """Outcomes of all kinds."""
        return sum(self.by_kind.values(), Counter())

    def lines(self) -> Iterable[str]:
        """A table for people."""
        width = max([len(kind) for kind in self.by_kind] + [5])
        yield "  ".join(["kind".ljust(width), *(name.rjust(7) for name in OUTCOMES)])
        for kind, counts in [*sorted(self.by_kind.items()), ("all", self.total)]:
            yield "  ".join([kind.ljust(width), *(f"{counts[name]:7,}" for name in OUTCOMES)])
        for reason, count in self.reasons.most_common(10):
            yield f"refused {count:,}: {reason}"


def scores(read: Read, clean: Sequence[Row], header: Sequence[str]) -> tuple[float, ...]:
    """Pollock's ten measures of a file: success, and precision, recall and F1 of header, records and cells."""
    if read.refused is not None:
        return (0.0,) * 10
    rows, wanted = [*map(_plain, read.rows)], [*map(_plain, clean)]
    return (
        1.0,
        *_measures(Counter(read.header), Counter(header)),
        *_measures(Counter(rows), Counter(wanted)),
        *_measures(Counter(v for row in rows for v in row), Counter(v for row in wanted for v in row)),
    )


def _measures(found: Counter[Any], wanted: Counter[Any]) -> tuple[float, float, float]:
    common = (found & wanted).total()
    precision = common / found.total() if found else float(not wanted)
    recall = common / wanted.total() if wanted else 1.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0
