"""The embedded sample: raw files made up on this machine, of any size, the same bytes for the same seed."""

from __future__ import annotations

from pathlib import Path

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.lake.raw_file import RawPart
from nequi_lake.progress import bar


class SampleSource:
    """Datasets that their own module can make up.

    Args:
        scale: share of the full size on Kaggle.
        seed: what the randomness begins from.
    """

    def __init__(self, *, scale: float, seed: int) -> None:
        self._scale = scale
        self._seed = seed

    def describe(self) -> str:
        """The source, for a person."""
        return f"sample (scale {self._scale:g}, seed {self._seed})"

    def account(self) -> str:
        """Where it is."""
        return self.describe()

    def offers(self, dataset: Dataset) -> bool:
        """Whether the dataset's module carries a sample."""
        return dataset.sample is not None

    def version(self, _dataset: Dataset, /) -> str | None:
        """None: the sample is made anew, and its content tells its version."""
        return None

    def fetch(self, dataset: Dataset, into: Path) -> list[RawPart]:
        """Write the dataset's made-up files into ``into``.

        Raises:
            SourceError: the dataset's module carries no sample, or its sample lacks a file.
        """
        made = dataset.sample(self._scale, self._seed) if dataset.sample else {}
        parts = []
        for file in dataset.files:
            if file.name not in made:
                raise SourceError(
                    f"The sample has no {dataset.name}/{file.name}.",
                    where=f"the declaration of {dataset.name}",
                    fix="Set NEQUI_LAKE_SOURCE to a folder that holds the dataset.",
                )
            path = into / file.name
            with path.open("wb") as stream, bar(f"making {file.name}", None, "B") as progress:
                for chunk in made[file.name]:
                    stream.write(chunk)
                    progress.update(len(chunk))
            parts.append(RawPart(file=file.name, name=file.name, source=self.describe()))
        return parts
