"""The key of the hashes that stand for sensitive values, as the settings have it."""

from __future__ import annotations

from nequi_lake.datasets.sensitive import HashKey
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import UsageError
from nequi_lake.lake.settings import Settings


def hash_key_of(dataset: Dataset, settings: Settings) -> HashKey | None:
    """The key for a dataset's hashes; None where it has none.

    Raises:
        UsageError: it has some, and no key is set.
    """
    if not dataset.has_hashes:
        return None
    if not settings.hash_key:
        hashed = [
            f"{table.name}.{name}"
            for table in dataset.tables
            for name, column in table.columns.items()
            if column.sensitive == "hash"
        ]
        raise UsageError(
            f"{dataset.name} has columns that are hashed, and there is no key for it: {', '.join(hashed)}.",
            where="NEQUI_LAKE_HASH_KEY",
            fix="Set it to the key that the lake's hashes are made with. For a new lake, make one, and keep it where "
            "secrets are: openssl rand -hex 32",
        )
    return HashKey(settings.hash_key)
