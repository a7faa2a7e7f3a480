"""A sample never takes the place of data from another source unawares, and says everywhere what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nequi_lake import Lake
from nequi_lake.errors import UsageError
from nequi_lake.lake.raw import RawZone
from nequi_lake.pipeline.report import profile_relation, write_index, write_report
from nequi_lake_tests.conftest import released


def filled(lake: Lake, source: str, **changes: Any) -> Lake:
    """The lake, filled from a source as a run does it."""
    again = Lake(replace(lake.settings, source=source, **changes), lake.datasets)
    released(again, "cite_sum")
    return again


def test_a_sample_does_not_take_the_place_of_data(lake: Lake, inbox: Path) -> None:
    released(lake, "cite_sum")
    before = lake.table("cite_sum.papers").published
    with pytest.raises(UsageError, match=r"has data from .*train\.json; a sample does not take its place") as refusal:
        filled(lake, "sample")
    assert "--replace-with-sample cite_sum" in str(refusal.value)
    assert lake.table("cite_sum.papers").published == before
    assert not before.release.is_sample
    assert str(inbox) in before.release.source


def test_a_sample_takes_the_place_of_data_where_that_is_meant(lake: Lake) -> None:
    released(lake, "cite_sum")
    release = filled(lake, "sample", sample_replaces=True).table("cite_sum.papers").published.release
    assert (release.is_sample, release.source) == (True, "sample (scale 0.01, seed 1)")


def test_data_takes_the_place_of_a_sample_and_a_sample_of_a_sample(lake: Lake) -> None:
    filled(lake, "sample")
    filled(lake, "sample", sample_seed=2)
    released(lake, "cite_sum")
    assert not lake.table("cite_sum.papers").published.release.is_sample


def test_a_sample_has_no_licence_and_says_what_it_is(lake: Lake) -> None:
    sample = filled(lake, "sample")
    table = sample.table("cite_sum.papers")
    iceberg = sample.catalog.iceberg("cite_sum", "papers")
    assert iceberg is not None
    assert iceberg.properties["nequi.licence"] == "none: a sample, made up on this machine"
    (file, *_) = RawZone(sample.storage).newest(sample.datasets["cite_sum"]).values()
    assert file.licence == "none: a sample, made up on this machine"
    written = write_report(sample, "cite_sum.papers", profile_relation(table), snapshot_id=table.published.snapshot_id)
    banner = "SAMPLE DATA: made up on this machine, not real"
    index = write_index(sample)
    for link in (written.links["html"], index.links["index"]):
        page = Path(link.removeprefix("file://")).read_text()
        assert page.count(banner) == 1
    assert sample.datasets["cite_sum"].licence not in Path(index.links["index"].removeprefix("file://")).read_text()
