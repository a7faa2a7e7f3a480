"""The embedded sample: raw files made up on this machine, of any size, the same bytes for the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nequi_lake import samples
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.lake.raw_file import SAMPLE_LICENCE, RawPart
from nequi_lake.progress import bar
from nequi_lake.samples import Sample


class SampleSource:
    """A source that makes up the raw files of datasets.

    Args:
        scale: share of the full size on Kaggle.
        seed: what the randomness begins from.
        own: dataset name → sample, in place of the samples that the package has.
    """

    def __init__(self, *, scale: float, seed: int, own: Mapping[str, Sample] | None = None) -> None:
        self._scale = scale
        self._seed = seed
        self._own = own

    is_sample = True

    def describe(self) -> str:
        """The source's name, scale and seed."""
        return f"sample (scale {self._scale:g}, seed {self._seed})"

    def account(self) -> str:
        """The same as :meth:`describe`: a sample needs no credentials."""
        return self.describe()

    def offers(self, dataset: Dataset) -> bool:
        """Whether there is a sample of the dataset. Does not load it."""
        return dataset.name in (samples.names() if self._own is None else self._own)

    def version(self, _dataset: Dataset, /) -> str | None:
        """None: a sample has no version but its content."""
        return None

    def fetch(self, dataset: Dataset, into: Path) -> list[RawPart]:
        """Write the dataset's made-up files into ``into``.

        Raises:
            SourceError: there is no sample of the dataset, or the sample lacks a file.
        """
        made = self._sample_of(dataset)(self._scale, self._seed)
        parts = []
        for file in dataset.files:
            if file.name not in made:
                raise SourceError(
                    f"The sample has no {dataset.name}/{file.name}.",
                    where=f"the sample of {dataset.name}",
                    fix="Set NEQUI_LAKE_SOURCE to a folder that holds the dataset.",
                )
            path = into / file.name
            with path.open("wb") as stream, bar(f"making {file.name}", None, "B") as progress:
                for chunk in made[file.name]:
                    stream.write(chunk)
                    progress.update(len(chunk))
            parts.append(
                RawPart(file=file.name, name=file.name, source=self.describe(), licence=SAMPLE_LICENCE, is_sample=True)
            )
        return parts

    def _sample_of(self, dataset: Dataset) -> Sample:
        if not self.offers(dataset):
            raise SourceError(
                f"There is no sample of {dataset.name}.",
                where=self.describe(),
                fix="Set NEQUI_LAKE_SOURCE to a folder that holds the dataset.",
            )
        return samples.load(dataset.name) if self._own is None else self._own[dataset.name]
