"""WHERE FROM: each source delivers a dataset's files, as their publisher made them, into a local folder."""

from __future__ import annotations

from nequi_lake.errors import needs_extra
from nequi_lake.lake.settings import Settings
from nequi_lake.sources.base import Source
from nequi_lake.sources.folder import FolderSource
from nequi_lake.sources.sample import SampleSource

__all__ = ["Source", "open_source"]


def open_source(settings: Settings) -> Source:
    """The source that the settings name.

    Raises:
        UsageError: the packages of the source are not installed.
    """
    if settings.source == "sample":
        return SampleSource(scale=settings.sample_scale, seed=settings.sample_seed)
    if settings.source == "kaggle":
        with needs_extra("kaggle"):
            from nequi_lake.sources.kaggle import KaggleSource
        return KaggleSource(zip_max_bytes=settings.zip_max_bytes, zip_max_ratio=settings.zip_max_ratio)
    if settings.source.startswith("s3://"):
        with needs_extra("aws"):
            from nequi_lake.sources.bucket import BucketSource
        return BucketSource(settings.source, zip_max_bytes=settings.zip_max_bytes, zip_max_ratio=settings.zip_max_ratio)
    return FolderSource(
        settings.source,
        zip_max_bytes=settings.zip_max_bytes,
        zip_max_ratio=settings.zip_max_ratio,
        follows_links=settings.source_links,
    )
