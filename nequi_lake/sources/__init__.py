"""WHERE FROM: each source delivers a dataset's files, as their publisher made them, into a local folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import needs_extra
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.settings import Settings
from nequi_lake.sources.base import Source
from nequi_lake.sources.folder import FolderSource
from nequi_lake.sources.sample import SampleSource

__all__ = ["Source", "Sources", "open_source", "unpack_limits"]


def unpack_limits(settings: Settings) -> UnpackLimits:
    """What a compressed file may unpack to."""
    return UnpackLimits(
        max_bytes=settings.zip_max_bytes, max_ratio=settings.zip_max_ratio, max_members=settings.zip_max_members
    )


class Sources:
    """The source of each dataset. Each is opened when it is first asked for.

    Args:
        settings: which source each dataset has.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: dict[str, Source] = {}

    def of(self, dataset: Dataset) -> Source:
        """The source of a dataset.

        Raises:
            UsageError: the packages of the source are not installed.
        """
        return self.at(self._settings.source_of(dataset))

    def at(self, place: str) -> Source:
        """The source at a place, in the words of ``NEQUI_LAKE_SOURCE``.

        Raises:
            UsageError: the packages of the source are not installed.
        """
        if place not in self._opened:
            self._opened[place] = open_source(self._settings, place)
        return self._opened[place]

    def places(self, datasets: Iterable[Dataset]) -> Mapping[str, list[Dataset]]:
        """Place → those of the datasets that come from there. Opens none."""
        found: dict[str, list[Dataset]] = {}
        for dataset in datasets:
            found.setdefault(self._settings.source_of(dataset), []).append(dataset)
        return found


def open_source(settings: Settings, place: str | None = None) -> Source:
    """The source at a place, by default the one of all datasets that have none of their own.

    Raises:
        UsageError: the packages of the source are not installed.
    """
    place = place or settings.source
    if place == "sample":
        return SampleSource(scale=settings.sample_scale, seed=settings.sample_seed)
    limits = unpack_limits(settings)
    if place == "kaggle":
        with needs_extra("kaggle"):
            from nequi_lake.sources.kaggle import KaggleSource
        return KaggleSource(limits=limits)
    if place.startswith("s3://"):
        with needs_extra("aws"):
            from nequi_lake.sources.bucket import BucketSource
        return BucketSource(place, limits=limits)
    return FolderSource(place, limits=limits, follows_links=settings.source_links)
