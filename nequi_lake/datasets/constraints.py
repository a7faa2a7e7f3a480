"""What a contract demands of a column's values, as typed values, and their rendering to words.

Rules, reports, the dictionary and Dagster show constraints in the words of :func:`describe` and in no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a constraint is about."""

    KEY = "key"
    REFERENCES = "references"
    MIN = "min"
    MAX = "max"
    MIN_EXCLUSIVE = "min_exclusive"
    MAX_EXCLUSIVE = "max_exclusive"
    MIN_LENGTH = "min_length"
    MAX_LENGTH = "max_length"
    ONE_OF = "one_of"
    MATCHES = "matches"
    NOT_NULL = "not_null"
    FINITE = "finite"
    NOT_NAN = "not_nan"
    NULL_SHARE = "null_share"
    UNIQUE = "unique"
    CHECK = "check"
    OTHER = "other"


@dataclass(frozen=True)
class Constraint:
    """One demand on a column.

    Attributes:
        kind: what it is about.
        limit: by kind: the bound (``MIN`` …), the tuple of allowed values (``ONE_OF``), the pattern (``MATCHES``), the
            table (``REFERENCES``), the share of rows, 0 to 1 (``NULL_SHARE``), the name of a function (``CHECK``), the
            name and limit of another rule of dataframely's (``OTHER``); None for the rest.
    """

    kind: Kind
    limit: Any = None


BY_RECORD = frozenset(Kind) - {Kind.KEY, Kind.UNIQUE, Kind.REFERENCES, Kind.NULL_SHARE}
"""Kinds that a single value keeps or breaks; the others are about all rows of the table."""

BY_TYPE = frozenset({Kind.NOT_NULL, Kind.FINITE, Kind.NOT_NAN})
"""Kinds that nearly every column has. Lists for people omit them; their words say how a value breaks them."""


def describe(constraint: Constraint) -> str:
    """The constraint in words: what must hold, or for kinds of ``BY_TYPE`` what is wrong with a value."""
    limit = constraint.limit
    match constraint.kind:
        case Kind.KEY:
            return "key"
        case Kind.REFERENCES:
            return f"references {limit}"
        case Kind.MIN:
            return f"must be >= {limit}"
        case Kind.MAX:
            return f"must be <= {limit}"
        case Kind.MIN_EXCLUSIVE:
            return f"must be > {limit}"
        case Kind.MAX_EXCLUSIVE:
            return f"must be < {limit}"
        case Kind.MIN_LENGTH:
            return f"must have {limit} characters or more"
        case Kind.MAX_LENGTH:
            return f"must have {limit} characters or fewer"
        case Kind.UNIQUE:
            return "unique"
        case Kind.CHECK:
            return f"must pass the check {limit}"
        case Kind.ONE_OF:
            return f"must be one of {', '.join(map(str, limit))}"
        case Kind.MATCHES:
            return f"must match {limit}"
        case Kind.NOT_NULL:
            return "is missing"
        case Kind.FINITE:
            return "is infinite"
        case Kind.NOT_NAN:
            return "is not a number"
        case Kind.NULL_SHARE:
            return f"missing in at most {100 * limit:.4g} % of rows"
        case Kind.OTHER:
            return " ".join(["must keep", *(str(part) for part in limit if part is not None)])
