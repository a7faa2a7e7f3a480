"""WHERE FROM: each source delivers a dataset's files, as their publisher made them, into a local folder."""

from __future__ import annotations

from nequi_lake.errors import needs_extra
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.settings import Settings
from nequi_lake.sources.base import Source
from nequi_lake.sources.folder import FolderSource
from nequi_lake.sources.sample import SampleSource

__all__ = ["Source", "open_source", "unpack_limits"]


def unpack_limits(settings: Settings) -> UnpackLimits:
    """What a compressed file may unpack to."""
    return UnpackLimits(
        max_bytes=settings.zip_max_bytes, max_ratio=settings.zip_max_ratio, max_members=settings.zip_max_members
    )


def open_source(settings: Settings) -> Source:
    """The source that the settings name.

    Raises:
        UsageError: the packages of the source are not installed.
    """
    if settings.source == "sample":
        return SampleSource(scale=settings.sample_scale, seed=settings.sample_seed)
    limits = unpack_limits(settings)
    if settings.source == "kaggle":
        with needs_extra("kaggle"):
            from nequi_lake.sources.kaggle import KaggleSource
        return KaggleSource(limits=limits)
    if settings.source.startswith("s3://"):
        with needs_extra("aws"):
            from nequi_lake.sources.bucket import BucketSource
        return BucketSource(settings.source, limits=limits)
    return FolderSource(settings.source, limits=limits, follows_links=settings.source_links)
