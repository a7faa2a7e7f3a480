"""The Kaggle source delivers one version's files whole, resumes, and says in a sentence what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import NequiLakeError, SourceError, TransientError, UsageError
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.raw_file import RawPart
from nequi_lake.lake.settings import Settings
from nequi_lake.sources import open_source
from nequi_lake.sources.kaggle import KaggleSource
from nequi_lake_tests.sources.kaggle_stand_in import KEY, TOKEN, USER, Failure, KaggleStandIn

LIMITS = UnpackLimits(max_bytes=10**6, max_ratio=2000, max_members=100)
CONTENT = b"a,b\n" + b"1,2\n" * 50_000


@pytest.fixture
def motor(datasets: Mapping[str, Dataset]) -> Dataset:
    """A dataset of one file."""
    return datasets["electric_motor"]


@pytest.fixture
def kaggle(motor: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KaggleStandIn]:
    """A server that has two versions of the dataset, and to which Kaggle's client is pointed."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    name = motor.files[0].name
    versions = {1: {name: b"old"}, 2: {f"folder/{name}": CONTENT, "other.txt": b"x"}}
    with KaggleStandIn(datasets={motor.slug: versions}) as stand_in:
        for variable, value in stand_in.environment().items():
            monkeypatch.setenv(variable, value)
        yield stand_in


def source() -> KaggleSource:
    """A source that does not wait."""
    return KaggleSource(limits=LIMITS, attempts=3, max_wait_s=0, timeout_s=5)


def fetch(tmp_path: Path, dataset: Dataset) -> list[RawPart]:
    """What the source delivers."""
    into = tmp_path / "into"
    into.mkdir(exist_ok=True)
    return source().fetch(dataset, into)


def content(tmp_path: Path, part: RawPart) -> bytes:
    """The bytes that were delivered for a part."""
    return (tmp_path / "into" / part.name).read_bytes()


def test_the_declared_file_is_delivered_with_version_and_licence(
    tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    (delivered,) = fetch(tmp_path, motor)
    assert content(tmp_path, delivered) == CONTENT
    assert (delivered.file, delivered.name) == (motor.files[0].name, motor.files[0].name)
    assert (delivered.source_version, delivered.licence, delivered.zip_sha256) == ("2", "CC0-1.0", None)
    assert delivered.source == f"https://www.kaggle.com/datasets/{motor.slug}"
    assert list((tmp_path / "into").iterdir()) == [tmp_path / "into" / delivered.name]
    assert capsys.readouterr().out == ""


def test_the_version_is_reported_without_a_download_and_pins_the_files(
    tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn
) -> None:
    asked = source()
    assert asked.version(motor) == "2"
    assert [method for method, _ in kaggle.requests] == ["GetDataset"]
    kaggle.datasets[motor.slug][3] = {motor.files[0].name: b"new"}
    (tmp_path / "into").mkdir()
    (delivered,) = asked.fetch(motor, tmp_path / "into")
    assert (delivered.source_version, content(tmp_path, delivered)) == ("2", CONTENT)


@pytest.mark.parametrize("lists_zips", [False, True], ids=["size of the file", "size of the zip"])
def test_a_zipped_file_is_unpacked(tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn, lists_zips: bool) -> None:
    kaggle.zipped, kaggle.lists_zips = True, lists_zips
    (delivered,) = fetch(tmp_path, motor)
    assert content(tmp_path, delivered) == CONTENT
    assert delivered.zip_sha256 is not None
    assert len(delivered.zip_sha256) == len(hashlib.sha256().hexdigest())


def test_a_damaged_zip_is_refused(tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn) -> None:
    kaggle.zipped = kaggle.damaged = True
    with pytest.raises(SourceError, match="The zip is damaged"):
        fetch(tmp_path, motor)
    assert list((tmp_path / "into").iterdir()) == []


def test_a_cut_download_is_resumed(tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn) -> None:
    kaggle.cut_after = [100_000]
    (delivered,) = fetch(tmp_path, motor)
    assert content(tmp_path, delivered) == CONTENT
    assert [headers["Range"] for method, headers in kaggle.requests if method == "GET" and "Range" in headers] == [
        "bytes=65536-"
    ]


def test_what_passes_is_tried_again(tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn) -> None:
    kaggle.failures = [Failure(503), Failure(429, {"Retry-After": "0"})]
    assert content(tmp_path, fetch(tmp_path, motor)[0]) == CONTENT


@pytest.mark.parametrize("before", [[], [None, None]], ids=["from the start", "resumed"])
def test_a_download_that_fails_is_tried_again(
    tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn, before: list[None]
) -> None:
    kaggle.cut_after = [100_000]
    kaggle.failed_downloads = [*before, Failure(503)]
    (delivered,) = fetch(tmp_path, motor)
    assert content(tmp_path, delivered) == CONTENT
    assert [method for method, _ in kaggle.requests].count("DownloadDataset") == 2


def test_the_signed_address_of_a_download_is_not_logged(
    tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    kaggle.unanswered = 2
    with caplog.at_level("INFO"):
        assert content(tmp_path, fetch(tmp_path, motor)[0]) == CONTENT
    assert "/download" not in caplog.text


@pytest.mark.parametrize("status", [408, 429, 500, 503, 599])
def test_what_does_not_pass_is_tried_as_often_as_said(motor: Dataset, kaggle: KaggleStandIn, status: int) -> None:
    kaggle.failures = [Failure(status)] * 9
    with pytest.raises(TransientError):
        source().version(motor)
    assert len(kaggle.requests) == 3


@pytest.mark.parametrize("cuts", [[10, 10, 10], []], ids=["cut", "short"])
def test_a_file_that_never_comes_whole_is_not_left(
    tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn, cuts: list[int]
) -> None:
    kaggle.cut_after, kaggle.spoiled = cuts, not cuts
    with pytest.raises(TransientError):
        fetch(tmp_path, motor)
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize(
    ("failure", "kind", "says"),
    [
        (Failure(401), SourceError, "wrong or have expired"),
        (Failure(403), SourceError, "accept the terms"),
        (Failure(404), SourceError, "Check the slug"),
        (Failure(429, {"Retry-After": "90"}), TransientError, "in 90 seconds"),
        (Failure(500), TransientError, "HTTP 500"),
        (Failure(503, {"Retry-After": "soon"}), TransientError, "broke off"),
    ],
)
def test_each_refusal_is_one_clear_error(
    motor: Dataset,
    kaggle: KaggleStandIn,
    caplog: pytest.LogCaptureFixture,
    failure: Failure,
    kind: type[NequiLakeError],
    says: str,
) -> None:
    kaggle.failures = [failure] * 3
    with caplog.at_level("DEBUG"), pytest.raises(kind, match=says) as caught:
        source().version(motor)
    assert TOKEN not in str(caught.value) + caplog.text


def test_no_credentials(motor: Dataset, kaggle: KaggleStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with pytest.raises(UsageError, match="no credentials"):
        source().version(motor)


def test_no_network(motor: Dataset, kaggle: KaggleStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(TransientError, match="could not be reached"):
        source().version(motor)


def test_a_missing_file_names_what_there_is(tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn) -> None:
    kaggle.datasets[motor.slug][3] = {"other.txt": b"x"}
    with pytest.raises(SourceError, match=r"It has other\.txt"):
        fetch(tmp_path, motor)


def test_the_account_is_named(kaggle: KaggleStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    assert source().account() == USER
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    assert source().account() == USER
    monkeypatch.setenv("KAGGLE_KEY", "other")
    with pytest.raises(SourceError, match="wrong or have expired"):
        source().account()


def test_the_settings_open_it(tmp_path: Path) -> None:
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path), "NEQUI_LAKE_SOURCE": "kaggle"})
    assert open_source(settings).describe() == "Kaggle"


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
def test_a_file_may_come_in_parts(tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn, zipped: bool) -> None:
    stem = motor.files[0].name.removesuffix(".csv")
    kaggle.datasets[motor.slug][2] = {f"{stem}/part-{number}.csv": b"%d" % number for number in range(10, 0, -1)}
    kaggle.zipped = zipped
    delivered = fetch(tmp_path, motor)
    assert [(one.name, content(tmp_path, one)) for one in delivered] == [
        (f"{stem}/part-{number}.csv", b"%d" % number) for number in range(1, 11)
    ]
    assert {one.file for one in delivered} == {motor.files[0].name}


def test_what_could_be_meant_as_data_refuses_the_dataset_unless_it_is_declared_as_ignored(
    tmp_path: Path, motor: Dataset, kaggle: KaggleStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    kaggle.datasets[motor.slug][2]["measures_v2_old.CSV.gz"] = b"x"
    kaggle.datasets[motor.slug][2]["MEASURES_V2.json"] = b"{}"
    with pytest.raises(SourceError, match=r"MEASURES_V2\.json could be meant as data of measures_v2\.csv") as refused:
        fetch(tmp_path, motor)
    assert "ignored=" in str(refused.value.fix)
    declared = replace(motor, ignored={"MEASURES_*.json": "The same values in another format."})
    assert [one.name for one in fetch(tmp_path, declared)] == [motor.files[0].name]
    assert "measures_v2_old.CSV.gz" in caplog.text
    assert "MEASURES" not in caplog.text
