"""A bucket source finds a dataset's files as a folder source does, in the version that it named, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from nequi_lake import Lake
from nequi_lake.cli.doctor import examine
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError, TransientError, UsageError
from nequi_lake.lake.raw_file import RawPart
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.aws import access
from nequi_lake.sources import Source, Sources, open_source
from nequi_lake.sources.bucket import BucketSource
from nequi_lake_tests.conftest import MOTOR_FILE, MOTOR_HEADER, citation, motor_rows, only, released
from nequi_lake_tests.sources.test_folder import write_zip

INBOX = "s3://inbox/daily/raw"


@pytest.fixture
def client(aws: str) -> Any:
    """A client of an account with an empty bucket ``inbox``."""
    found = access().client("s3")
    found.create_bucket(Bucket="inbox", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return found


Put = Callable[[str, bytes], None]


@pytest.fixture
def put(client: Any) -> Put:
    """Uploads a file below the source's prefix."""
    return lambda name, content: client.put_object(Bucket="inbox", Key=f"daily/raw/{name}", Body=content)


def source(uri: str = INBOX) -> Source:
    """The source that the settings name."""
    return open_source(Settings.from_env({"NEQUI_LAKE_SOURCE": uri}))


def motor_file(*sessions: int) -> bytes:
    """The motor's raw file, with three records of each session."""
    return "\n".join([MOTOR_HEADER, *(row for session in sessions for row in motor_rows(session, 3)), ""]).encode()


@pytest.fixture
def motor(datasets: Mapping[str, Dataset]) -> Dataset:
    """A dataset of one file."""
    return datasets["electric_motor"]


def fetch(tmp_path: Path, dataset: Dataset, of: Source) -> list[RawPart]:
    """What a source delivers."""
    into = tmp_path / "into"
    into.mkdir()
    return of.fetch(dataset, into)


def test_a_lake_is_filled_from_a_bucket(put: Put, tmp_path: Path) -> None:
    put(f"electric_motor/{MOTOR_FILE}", motor_file(4, 17))
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": f"{INBOX}/"})
    lake, of = Lake(settings, only("electric_motor")), open_source(settings)
    assert isinstance(of, BucketSource)
    checks = {check.name: check for check in examine(lake, Sources(settings))}
    assert (checks["source_access"].passed, checks["source_datasets"].found) == (True, "electric_motor")
    first = released(lake, "electric_motor")
    assert len(lake["electric_motor"]["measurements"]) == 6
    assert lake.table("electric_motor.measurements").published.release.raw_version == of.version(
        lake.datasets["electric_motor"]
    )
    put(f"electric_motor/{MOTOR_FILE}", motor_file(4, 17, 20))
    assert released(lake, "electric_motor") != first
    assert len(lake["electric_motor"]["measurements"]) == 9


def test_a_release_names_the_folder_of_its_files_in_the_bucket(put: Put, tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        put(f"cite_sum/{split}.json", json.dumps(citation(len(split))).encode() + b"\n")
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": INBOX})
    lake = Lake(settings, only("cite_sum"))
    released(lake, "cite_sum")
    assert lake["cite_sum"]["papers"].published.release.source == f"{INBOX}/cite_sum"


def test_a_version_that_is_kept_is_not_downloaded_again(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(f"electric_motor/{MOTOR_FILE}", motor_file(4))
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": INBOX})
    lake = Lake(settings, only("electric_motor"))
    released(lake, "electric_motor")
    monkeypatch.setattr(BucketSource, "_download", None)
    released(lake, "electric_motor")


def test_files_lie_loose_in_parts_or_in_zips(
    client: Any, put: Put, tmp_path: Path, motor: Dataset, datasets: Mapping[str, Dataset]
) -> None:
    put(f"electric_motor/{MOTOR_FILE}.zip", write_zip(tmp_path / "a.zip", **{MOTOR_FILE: motor_file(4)}).read_bytes())
    (zipped,) = fetch(tmp_path, motor, source())
    assert (tmp_path / "into" / MOTOR_FILE).read_bytes() == motor_file(4)
    assert zipped.zip_sha256
    assert zipped.source == f"{INBOX}/electric_motor/{MOTOR_FILE}.zip"
    assert [path.name for path in (tmp_path / "into").iterdir()] == [MOTOR_FILE]

    client.delete_object(Bucket="inbox", Key=f"daily/raw/electric_motor/{MOTOR_FILE}.zip")
    put("electric_motor/measures_v2/part-2.csv", motor_file(17))
    put("electric_motor/measures_v2/part-1.csv", motor_file(4))
    put("electric_motor/measures_v2/", b"")
    (tmp_path / "into").rename(tmp_path / "before")
    parts = fetch(tmp_path, motor, source())
    assert [part.name for part in parts] == ["measures_v2/part-1.csv", "measures_v2/part-2.csv"]
    assert len({part.source_version for part in parts}) == 1
    assert {part.source for part in parts} == {f"{INBOX}/electric_motor/measures_v2"}

    members = {f"{name}__json": b"{}\n" for name in ("train", "val", "test")}
    whole = write_zip(tmp_path / "all.zip", **{name.replace("__", "."): text for name, text in members.items()})
    put("cite_sum/cite-sum.zip", b"")
    cite_sum = datasets["cite_sum"]
    put(f"cite_sum/{cite_sum.slug.rsplit('/', 1)[-1]}.zip", whole.read_bytes())
    (tmp_path / "into").rename(tmp_path / "parts")
    assert [part.name for part in fetch(tmp_path, cite_sum, source())] == ["train.json", "validation.json", "test.json"]


def test_a_delivery_in_a_bucket_is_accounted_for_as_a_whole(
    put: Put, client: Any, tmp_path: Path, motor: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    put(f"electric_motor/{MOTOR_FILE}", motor_file(4))
    put("electric_motor/readme.txt", b"x")
    fetch(tmp_path, motor, source())
    assert "readme.txt" in caplog.text
    (tmp_path / "into").rename(tmp_path / "first")

    put("electric_motor/Measures_v2.csv.gz", b"x")
    for ask in (lambda: source().version(motor), lambda: source().fetch(motor, tmp_path)):
        with pytest.raises(SourceError, match=r"Measures_v2\.csv\.gz could be meant as data"):
            ask()
    client.delete_object(Bucket="inbox", Key="daily/raw/electric_motor/Measures_v2.csv.gz")

    whole = write_zip(tmp_path / "all.zip", **{MOTOR_FILE: motor_file(17)})
    put("electric_motor/archive.zip", whole.read_bytes())
    with pytest.raises(SourceError, match=r"is there twice, loose and in archive\.zip"):
        fetch(tmp_path, motor, source())
    client.delete_object(Bucket="inbox", Key=f"daily/raw/electric_motor/{MOTOR_FILE}")
    before = source().version(motor)
    beside = write_zip(tmp_path / "all.zip", **{MOTOR_FILE: motor_file(17), "MEASURES_V2.csv": b"x"})
    put("electric_motor/archive.zip", beside.read_bytes())
    assert source().version(motor) != before
    (tmp_path / "into").rename(tmp_path / "second")
    with pytest.raises(SourceError, match=r"MEASURES_V2\.csv could be meant as data") as refused:
        fetch(tmp_path, motor, source())
    assert refused.value.where == f"{INBOX}/electric_motor/archive.zip"


def test_the_root_of_a_bucket_is_a_source_too(client: Any, tmp_path: Path, motor: Dataset) -> None:
    client.put_object(Bucket="inbox", Key=f"electric_motor/{MOTOR_FILE}", Body=motor_file(4))
    of = source("s3://inbox")
    assert of.offers(motor)
    assert fetch(tmp_path, motor, of)[0].source == f"s3://inbox/electric_motor/{MOTOR_FILE}"


def test_a_version_is_of_the_files_alone(put: Put, motor: Dataset) -> None:
    put(f"electric_motor/{MOTOR_FILE}", motor_file(4))
    before = source().version(motor)
    put("electric_motor/readme.txt", b"not declared")
    put("electric_motor2/x.csv", b"of another dataset")
    assert source().version(motor) == before
    put(f"electric_motor/{MOTOR_FILE}", motor_file(17))
    assert source().version(motor) != before


def test_a_missing_file_or_dataset_is_said(put: Put, tmp_path: Path, motor: Dataset) -> None:
    assert not source().offers(motor)
    for ask in (lambda: source().version(motor), lambda: fetch(tmp_path, motor, source())):
        with pytest.raises(SourceError, match=f"electric_motor has no file {MOTOR_FILE}") as told:
            ask()
        assert f"{INBOX}/electric_motor" in str(told.value)


def test_an_upload_that_goes_on_is_waited_for(put: Put, motor: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    put(f"electric_motor/{MOTOR_FILE}", motor_file(4))
    put("electric_motor/_SUCCESS", b"")
    assert source().version(motor)
    with pytest.raises(TransientError, match=f"{MOTOR_FILE} is newer than _SUCCESS"):
        _later(source(), MOTOR_FILE, monkeypatch).version(motor)


def _later(of: Source, name: str, monkeypatch: pytest.MonkeyPatch) -> Source:
    """The source, whose bucket says of an object that it came a minute later than it did."""
    assert isinstance(of, BucketSource)
    paginator = of._client.get_paginator("list_objects_v2")

    class Pages:
        def paginate(self, **asked: Any) -> list[dict[str, Any]]:
            pages = list(paginator.paginate(**asked))
            for page in pages:
                for found in page["Contents"]:
                    if found["Key"].endswith(name):
                        found["LastModified"] += timedelta(minutes=1)
            return pages

    monkeypatch.setattr(of._client, "get_paginator", lambda _: Pages())
    return of


def test_a_file_that_is_replaced_meanwhile_is_not_taken(put: Put, client: Any, tmp_path: Path, motor: Dataset) -> None:
    put(f"electric_motor/{MOTOR_FILE}", motor_file(4))
    of = source()
    of.version(motor)
    put(f"electric_motor/{MOTOR_FILE}", motor_file(17))
    with pytest.raises(TransientError, match="replaced while the lake fetched it"):
        fetch(tmp_path, motor, of)
    of.version(motor)
    client.delete_object(Bucket="inbox", Key=f"daily/raw/electric_motor/{MOTOR_FILE}")
    (tmp_path / "into").rename(tmp_path / "before")
    with pytest.raises(TransientError, match="removed or replaced"):
        fetch(tmp_path, motor, of)


def test_a_damaged_zip_is_named_by_its_place_in_the_bucket(put: Put, tmp_path: Path, motor: Dataset) -> None:
    put(f"electric_motor/{MOTOR_FILE}.zip", b"PK\x03\x04 and no more")
    with pytest.raises(SourceError, match="The zip is damaged") as told:
        fetch(tmp_path, motor, source())
    assert told.value.where == f"{INBOX}/electric_motor/{MOTOR_FILE}.zip"


def test_what_the_bucket_refuses_is_said_with_the_setting(
    client: Any, motor: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match=r"There is no bucket elsewhere\.[\s\S]*NEQUI_LAKE_SOURCE"):
        source("s3://elsewhere/x").account()

    class Denies:
        def list_objects_v2(self, **_: Any) -> None:
            raise boto3.client("s3").exceptions.ClientError(
                {"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2"
            )

    of = source()
    monkeypatch.setattr(of, "_client", Denies())
    with pytest.raises(SourceError, match=r"does not allow ListObjectsV2[\s\S]*SourceBucket"):
        of.account()


def test_a_bucket_that_cannot_be_reached_is_asked_again_later(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("nequi_lake.lake.storage.aws.MAX_ATTEMPTS", 1)
    with pytest.raises(TransientError, match="could not be reached"):
        source().account()


@pytest.mark.parametrize("uri", ["s3://B/x", "s3://", "s3://inbox/a b"])
def test_a_source_that_is_no_bucket_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="NEQUI_LAKE_SOURCE is"):
        source(uri)
