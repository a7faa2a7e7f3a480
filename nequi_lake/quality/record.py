"""What the checks of a release found, kept in the lake beside it: written before its commits, read by reports."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

from nequi_lake.lake.layout import release_record
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.quality.check import Check


def write_record(storage: StorageBackend, dataset: str, run_id: str, checks: Iterable[Check]) -> None:
    """Record checks of the relations that an attempt of a run staged; those of its other relations stay."""
    path = release_record(storage, dataset, run_id)
    record = json.loads(storage.read(path)) if storage.exists(path) else {}
    found: dict[str, list[dict[str, object]]] = {}
    for check in checks:
        found.setdefault(check.relation, []).append(asdict(check))
    storage.write(path, json.dumps({**record, **found}, ensure_ascii=False).encode())


def read_record(storage: StorageBackend, dataset: str, run_id: str, relation: str) -> list[Check]:
    """What the checks found of a relation; none where nothing is recorded."""
    path = release_record(storage, dataset, run_id)
    record = json.loads(storage.read(path)) if storage.exists(path) else {}
    return [Check(**check) for check in record.get(relation, ())]
