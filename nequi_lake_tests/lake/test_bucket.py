"""A lake in a bucket is the same lake: same rows, nothing half written, everything encrypted.

The tests marked ``bucket`` also run against a real S3 server, by ``make test-integration``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.defs.build import build
from nequi_lake.defs.run import run
from nequi_lake.errors import UsageError
from nequi_lake.lake.catalog.maintenance import RetentionPolicy, maintain
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend, open_storage
from nequi_lake_tests.aws import ON_SERVER, objects
from nequi_lake_tests.conftest import motor_rows, only, write_motor

pytestmark = pytest.mark.bucket


@pytest.fixture
def storage(bucket_lake: Mapping[str, str]) -> StorageBackend:
    """The storage of an empty lake in a bucket."""
    return open_storage(Settings.from_env(bucket_lake))


def made(settings: Settings) -> Lake:
    """The lake of these settings, once its run has succeeded."""
    outcome = run(build(settings), (), None)
    assert outcome.failures == ()
    return Lake(settings)


def contents(lake: Lake) -> dict[str, pl.DataFrame]:
    """Every published table, in the order of its key."""
    return {t.published.name: t.scan().sort(*t.table.key).collect() for t in lake.tables()}


@pytest.mark.long
def test_the_whole_sample_lake_has_the_rows_that_it_has_in_a_folder(
    bucket_lake: Mapping[str, str], tmp_path: Path
) -> None:
    in_folder = contents(made(Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake")})))
    settings = Settings.from_env(bucket_lake)
    lake = made(settings)
    in_bucket = contents(lake)
    assert len(in_folder) == 9 + 9 + 14
    assert in_bucket.keys() == in_folder.keys()
    for name, frame in in_folder.items():
        assert in_bucket[name].equals(frame), name
    assert lake.sql("SELECT count(*) AS rows FROM credit_risk.loans").to_pylist() == [
        {"rows": in_folder["credit_risk.loans"].height}
    ]
    assert lake.table("credit_risk.loans").to_pandas().shape == in_folder["credit_risk.loans"].shape
    there = set(objects(settings))
    # The index of the reports and the dictionary are beside them.
    assert len([key for key in there if key.startswith("profiling_reports/")]) == 3 * (9 + 9 + 14) + 2
    assert [key for key in there if key.startswith(".")] == []

    before = {name: table.published.snapshot_id for name, table in zip(in_folder, lake.tables(), strict=True)}
    again = made(settings)
    assert {name: table.published.snapshot_id for name, table in zip(in_folder, again.tables(), strict=True)} == before


def test_bad_records_are_put_aside_and_a_bad_file_changes_nothing(bucket_lake: Mapping[str, str], inbox: Path) -> None:
    settings = Settings.from_env({**bucket_lake, "NEQUI_LAKE_SOURCE": str(inbox)})
    motor = only("electric_motor")
    rows = motor_rows(17, 300)
    write_motor(inbox, [*rows, *motor_rows(17, 1, coolant="warm"), "cut,short"])
    assert run(build(settings, motor), (), None).success
    lake = Lake(settings, motor)
    assert lake.table("electric_motor.measurements").published.accounting.quarantined == 2
    bad = newest_quarantine(lake.storage, *lake.declared("electric_motor.measurements")).collect()
    assert bad["line"].to_list() == [302, 303]
    seen = set(objects(settings))

    write_motor(inbox, motor_rows(17, 300, coolant="warm"))
    outcome = run(build(settings, motor), (), None)
    assert not outcome.success
    assert "quarantine_limit" in "".join(outcome.failures)
    assert Lake(settings, motor).table("electric_motor.measurements").published.rows == 300
    left = [key for key in set(objects(settings)) - seen if key.startswith("processed/")]
    assert left == []


def test_a_large_raw_file_goes_up_in_parts_and_comes_back_whole(storage: StorageBackend, tmp_path: Path) -> None:
    content = bytes(range(256)) * 80_000
    local = tmp_path / "local"
    local.write_bytes(content)
    path = storage.path("raw", "file.csv")
    storage.upload(local, path)
    assert not local.exists()
    assert storage.read(path) == content
    assert storage.size(path) == len(content)
    bucket, key = path.removeprefix("s3://").split("/", 1)
    client = storage.access.client("s3")  # type: ignore[attr-defined]
    assert "-" in client.head_object(Bucket=bucket, Key=key)["ETag"]


def test_files_and_folders_are_as_in_a_folder(storage: StorageBackend) -> None:
    for name in ("one/a", "one/deep/b", "other"):
        storage.write(storage.path(name), b"x")
    assert storage.list(storage.path()) == ["one", "other"]
    assert storage.list(storage.path("one")) == ["a", "deep"]
    assert storage.list(storage.path("nowhere")) == []
    assert storage.exists(storage.path("one"))
    assert not storage.exists(storage.path("on"))
    paths = [storage.path(name) for name in ("one/a", "one/deep/b", "one/gone")]
    assert storage.missing(paths) == paths[2:]
    with storage.open(paths[0]) as stream:
        assert stream.read() == b"x"
    storage.remove(storage.path("one"))
    assert storage.list(storage.path()) == ["other"]
    storage.remove(storage.path("one"))
    storage.write(storage.path("other"), b"y")
    assert storage.read(storage.path("other")) == b"y"


def test_a_bucket_that_is_not_there_is_reported(bucket_lake: Mapping[str, str]) -> None:
    settings = Settings.from_env({**bucket_lake, "NEQUI_LAKE_URI": "s3://no-such-bucket-here/lake"})
    storage = open_storage(settings)
    assert not storage.exists_root()
    with pytest.raises(UsageError, match="There is no bucket no-such-bucket-here"):
        storage.check_access()


def test_an_asset_of_one_s_own_gets_a_client_of_the_lake_s_bucket(bucket_lake: Mapping[str, str]) -> None:
    settings = Settings.from_env(bucket_lake)
    storage = open_storage(settings)
    storage.write(storage.path("hello"), b"x")
    s3 = (build(settings, only("cite_sum")).resources or {})["s3"]
    bucket = settings.uri.split("/")[2]
    found = s3.get_client().list_objects_v2(Bucket=bucket)["Contents"]
    assert [key["Key"] for key in found] == ["some/prefix/hello"]


def test_the_storage_says_where_it_is(storage: StorageBackend) -> None:
    assert storage.uri.split("/")[2] in storage.check_access()
    assert storage.link(storage.path("report.html")).endswith("/some/prefix/report.html")


@pytest.mark.skipif(ON_SERVER, reason="only AWS and its stand-in have keys of KMS")
@pytest.mark.long
def test_everything_is_encrypted_as_the_setting_says(bucket_lake: Mapping[str, str], inbox: Path) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    for encryption, told in (("AES256", ("AES256", None)), (key, ("aws:kms", key))):
        settings = Settings.from_env(
            {
                **bucket_lake,
                "NEQUI_LAKE_URI": f"{bucket_lake['NEQUI_LAKE_URI']}/{told[0].replace(':', '')}",
                "NEQUI_LAKE_CATALOG": "sql",
                "NEQUI_LAKE_CATALOG_URI": f"sqlite:///{inbox}/{told[0]}.db",
                "NEQUI_LAKE_SOURCE": str(inbox),
                "NEQUI_LAKE_ENCRYPTION": encryption,
            }
        )
        assert run(build(settings, only("cite_sum")), (), None).success
        there = objects(settings)
        assert {key.split("/")[0] for key in there} == {
            *("lake.json", "raw", "processed", "quarantine", "releases", "profiling_reports")
        }
        assert {(o.get("ServerSideEncryption"), o.get("SSEKMSKeyId")) for o in there.values()} == {told}


@pytest.mark.long
def test_maintenance_in_a_bucket_removes_what_no_kept_release_needs(
    bucket_lake: Mapping[str, str], inbox: Path
) -> None:
    settings = Settings.from_env({**bucket_lake, "NEQUI_LAKE_SOURCE": str(inbox)})
    part = only("electric_motor")
    for rows in (3, 5):
        write_motor(inbox, motor_rows(17, rows))
        assert run(build(settings, part), (), None).failures == ()
    lake = Lake(settings, part)
    before = set(objects(settings))
    later = datetime.now(UTC) + timedelta(days=30)
    half = lake.storage.path("raw", "electric_motor", "version=half", "measures_v2.csv")
    lake.storage.write(half, b"")
    assert not lake.storage.scratch_folder("electric_motor").exists()
    removed = maintain(
        part["electric_motor"], lake.catalog, lake.storage, retention=RetentionPolicy(releases=1), now=later
    )
    assert removed.snapshots == 2
    assert not lake.storage.exists(half)
    assert len(before - set(objects(settings))) == removed.files - 1 > 4
    assert contents(lake)["electric_motor.measurements"].height == 5
