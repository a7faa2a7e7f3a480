"""The sample source writes a dataset's made-up files: the same bytes for the same seed and scale."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.samples import Sample
from nequi_lake.sources.sample import SampleSource


def made(scale: float, seed: int) -> Mapping[str, Iterator[bytes]]:
    """A sample that tells what it was asked for, in two chunks."""
    return {"measures_v2.csv": iter([b"scale %g " % scale, b"seed %d" % seed])}


OWN = {"electric_motor": made}


@pytest.fixture
def motor(datasets: Mapping[str, Dataset]) -> Dataset:
    """A dataset of one file."""
    return datasets["electric_motor"]


def fetch(
    dataset: Dataset, into: Path, scale: float = 0.0001, seed: int = 1, own: Mapping[str, Sample] | None = None
) -> dict[str, bytes]:
    """File → bytes of a sample."""
    into.mkdir()
    parts = SampleSource(scale=scale, seed=seed, own=own).fetch(dataset, into)
    return {part.file: (into / part.name).read_bytes() for part in parts}


def test_a_file_is_written_whole_at_its_scale_and_seed(tmp_path: Path, motor: Dataset) -> None:
    assert fetch(motor, tmp_path / "into", scale=0.5, seed=7, own=OWN) == {"measures_v2.csv": b"scale 0.5 seed 7"}


def test_what_is_delivered_says_that_it_is_a_sample(tmp_path: Path, motor: Dataset) -> None:
    (delivered,) = SampleSource(scale=0.5, seed=7, own=OWN).fetch(motor, tmp_path)
    assert delivered.source == "sample (scale 0.5, seed 7)"
    assert (delivered.file, delivered.name) == ("measures_v2.csv", "measures_v2.csv")
    assert (delivered.source_version, delivered.zip_sha256) == (None, None)


@pytest.mark.parametrize("name", ["cite_sum", "credit_risk", "electric_motor"])
def test_every_file_of_a_dataset_is_written(tmp_path: Path, datasets: Mapping[str, Dataset], name: str) -> None:
    dataset = datasets[name]
    assert SampleSource(scale=0.0001, seed=1).offers(dataset)
    written = fetch(dataset, tmp_path / "into")
    assert list(written) == [file.name for file in dataset.files]
    assert all(written.values())


@pytest.mark.parametrize("name", ["cite_sum", "credit_risk", "electric_motor"])
def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(
    tmp_path: Path, datasets: Mapping[str, Dataset], name: str
) -> None:
    first = fetch(datasets[name], tmp_path / "first")
    assert fetch(datasets[name], tmp_path / "again") == first
    other = fetch(datasets[name], tmp_path / "other", seed=2)
    records = [file.name for file in datasets[name].readable_files]
    assert [file for file in records if other[file] == first[file]] == []


def test_a_dataset_without_a_sample_is_not_offered(tmp_path: Path, motor: Dataset) -> None:
    bare = replace(motor, name="bare")
    source = SampleSource(scale=0.01, seed=1)
    assert not source.offers(bare)
    with pytest.raises(SourceError, match=r"There is no sample of bare\.") as refusal:
        source.fetch(bare, tmp_path)
    assert "NEQUI_LAKE_SOURCE" in str(refusal.value.fix)


def test_a_sample_that_lacks_a_file_is_refused(tmp_path: Path, datasets: Mapping[str, Dataset]) -> None:
    partial: Mapping[str, Sample] = {"cite_sum": lambda scale, seed: {"train.json": iter([b"{}\n"])}}
    source = SampleSource(scale=0.01, seed=1, own=partial)
    assert not source.offers(datasets["electric_motor"])
    with pytest.raises(SourceError, match=r"The sample has no cite_sum/validation\.json"):
        source.fetch(datasets["cite_sum"], tmp_path)


def python(code: str) -> set[str]:
    """The modules of the package that a fresh interpreter has loaded after the code."""
    report = "import sys; print(*(name for name in sys.modules if name.startswith('nequi_lake')))"
    told = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def test_declarations_load_no_sample() -> None:
    loaded = python("from nequi_lake.lake.declared import discover; assert discover()")
    assert "nequi_lake.datasets.credit_risk" in loaded
    assert {name for name in loaded if name.startswith("nequi_lake.samples")} == set()


def test_to_ask_whether_there_is_a_sample_loads_none() -> None:
    loaded = python(
        "from nequi_lake.lake.declared import discover\n"
        "from nequi_lake.sources.sample import SampleSource\n"
        "assert all(map(SampleSource(scale=1, seed=1).offers, discover().values()))"
    )
    assert {name for name in loaded if name.startswith("nequi_lake.samples")} == {"nequi_lake.samples"}
