"""The checks that the audit makes of a relation before it is published: their names, and what each one asks.

A relation says by ``checks`` which of them it has; ``quality/audit.py`` answers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COLUMNS_AND_TYPES = "columns_and_types"
NULL_LIMITS = "null_limits"
UNIQUE_KEY = "unique_key"
FOREIGN_KEYS = "foreign_keys"
QUARANTINE_LIMIT = "quarantine_limit"
ROWS_ACCOUNTED_FOR = "rows_accounted_for"
VOLUME = "volume"

RELATION_CHECKS: Mapping[str, str] = MappingProxyType(
    {
        COLUMNS_AND_TYPES: "Every file has exactly the contract's columns and types, and derived values keep its "
        "rules.",
        NULL_LIMITS: "No column misses more values than its limit.",
        UNIQUE_KEY: "No two rows have the same key.",
        FOREIGN_KEYS: "Every reference is the key of a row of the parent table in the same release.",
        VOLUME: "The table is about as large and as full as in the release before; a warning unless it is declared "
        "to block.",
    }
)
"""Check name → what it asks, of every relation."""

RECORD_CHECKS: Mapping[str, str] = MappingProxyType(
    {
        QUARANTINE_LIMIT: "No raw file had more bad records than the table's limit.",
        ROWS_ACCOUNTED_FOR: "Every raw record is published, quarantined or merged.",
    }
)
"""Check name → what it asks, of a relation that is made of raw records."""
