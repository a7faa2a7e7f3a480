"""A lake in a bucket whose server is busy, breaks, and cuts connections: nothing is lost, and a reader sees no part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.defs import failures as failures_module
from nequi_lake.defs.build import build
from nequi_lake.defs.run import run
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import only
from nequi_lake_tests.flaky import Flaky, in_front_of


@pytest.fixture
def flaky(aws: str, bucket_lake: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Flaky]:
    """What makes the server of the bucket fail; it does not as yet."""
    with in_front_of(aws) as (url, flaky):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        monkeypatch.setattr(failures_module, "RETRY_WAIT_S", 0.0)
        yield flaky


@pytest.fixture
def settings(bucket_lake: Mapping[str, str], inbox: Path) -> Settings:
    """A lake in that bucket, filled from the inbox."""
    return Settings.from_env({**bucket_lake, "NEQUI_LAKE_SOURCE": str(inbox)})


@pytest.mark.long
@pytest.mark.parametrize("kind", ["busy", "cut"])
def test_a_server_that_never_takes_a_table_is_reported_and_harms_nothing(
    flaky: Flaky, settings: Settings, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nequi_lake.lake.storage.aws.MAX_ATTEMPTS", 2)
    definitions = build(settings, only("cite_sum"))
    assert run(definitions, (), None).success
    lake = Lake(settings, only("cite_sum"))
    before = lake.table("cite_sum.papers").published

    monkeypatch.setattr("nequi_lake.pipeline.tables.release_id", lambda *_: "another")
    monkeypatch.setattr(failures_module, "MAX_RETRIES", 0)
    bucket = settings.uri.split("/")[2]
    flaky.only, flaky.share, flaky.kinds = f"/{bucket}/some/prefix/processed/cite_sum/papers/data", 1.0, (kind,)
    outcome = run(definitions, (), None)
    flaky.share = 0.0
    assert not outcome.success
    told = "\n".join(outcome.failures)
    assert "AWS " in told
    assert "to do: " in told
    assert "report it" not in told
    assert lake.table("cite_sum.papers").published == before
    assert lake.table("cite_sum.papers").to_arrow().num_rows == 3


@pytest.mark.long
def test_a_server_that_fails_now_and_then_is_asked_again(flaky: Flaky, settings: Settings) -> None:
    flaky.share = 0.08
    outcome = run(build(settings, only("cite_sum")), (), None)
    assert outcome.failures == ()
    assert sum(flaky.happened.values()) > 3
    flaky.share = 0.0
    lake = Lake(settings, only("cite_sum"))
    rows = {table.table.name: len(table) for table in lake.tables()}
    assert rows == {"papers": 3, "citations": 5, "paper_fields": 4}
    assert lake.storage.list(lake.storage.path(".locks")) == []
