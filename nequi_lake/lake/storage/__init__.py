"""The one room that knows how bytes get into and out of the lake's storage, and where that is."""

from __future__ import annotations

from nequi_lake.errors import needs_extra
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.base import FileInfo, Lock, StorageBackend
from nequi_lake.lake.storage.local import LocalStorage

__all__ = ["FileInfo", "Lock", "StorageBackend", "open_storage"]


def open_storage(settings: Settings) -> StorageBackend:
    """The storage that the settings name.

    Raises:
        UsageError: the packages that it needs are not installed.
    """
    if not settings.uri.startswith("s3://"):
        return LocalStorage(settings.uri)
    with needs_extra("aws"):
        from nequi_lake.lake.storage.s3 import S3Storage

    return S3Storage(settings.uri, encryption=settings.encryption)
