"""Resources for assets that users add to the lake's own."""

from __future__ import annotations

from typing import Any

from nequi_lake.lake.storage import StorageBackend


def resources_of(storage: StorageBackend) -> dict[str, Any]:
    """``s3``, a client of the lake's own server and region, where the lake is in a bucket; otherwise nothing."""
    arguments = storage.client_arguments()
    if arguments is None:
        return {}
    from dagster_aws.s3 import S3Resource

    return {"s3": S3Resource(**arguments)}
