"""The environment's settings: defaults that work, and one clear sentence for a value that cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from nequi_lake.errors import UsageError
from nequi_lake.lake.settings import GIB, Settings


def test_everything_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_env({}) == Settings(
        uri=str(tmp_path / "lake"),
        source="sample",
        sample_scale=0.01,
        sample_seed=1,
        catalog_uri=f"sqlite:///{tmp_path}/lake/catalog.db",
        zip_max_bytes=64 * GIB,
        zip_max_ratio=200.0,
    )


def test_an_empty_variable_counts_as_unset() -> None:
    names = ("URI", "SOURCE", "SAMPLE_SCALE", "SAMPLE_SEED", "CATALOG_URI", "ZIP_MAX_BYTES", "ZIP_MAX_RATIO")
    assert Settings.from_env({f"NEQUI_LAKE_{name}": "" for name in names}) == Settings.from_env({})


def test_the_process_environment_is_read_where_no_other_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEQUI_LAKE_SAMPLE_SEED", "7")
    assert Settings.from_env().sample_seed == 7


def test_every_variable_is_taken() -> None:
    assert Settings.from_env(
        {
            "NEQUI_LAKE_URI": "/lakes/one",
            "NEQUI_LAKE_SOURCE": "/inbox",
            "NEQUI_LAKE_SAMPLE_SCALE": "1",
            "NEQUI_LAKE_SAMPLE_SEED": "2",
            "NEQUI_LAKE_CATALOG_URI": "sqlite:////elsewhere/catalog.db",
            "NEQUI_LAKE_ZIP_MAX_BYTES": "3",
            "NEQUI_LAKE_ZIP_MAX_RATIO": "4.5",
        }
    ) == Settings(
        uri="/lakes/one",
        source="/inbox",
        sample_scale=1.0,
        sample_seed=2,
        catalog_uri="sqlite:////elsewhere/catalog.db",
        zip_max_bytes=3,
        zip_max_ratio=4.5,
    )


@pytest.mark.parametrize("given", ["lakes/one", "./lakes/one", "lakes/one/"])
def test_a_relative_lake_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_env({"NEQUI_LAKE_URI": given})
    assert settings.uri == f"{tmp_path}/lakes/one"
    assert settings.catalog_uri == f"sqlite:///{tmp_path}/lakes/one/catalog.db"


@pytest.mark.parametrize("given", ["file:///lakes/one", "file:///lakes/one/"])
def test_a_file_uri_is_a_folder(given: str) -> None:
    assert Settings.from_env({"NEQUI_LAKE_URI": given}).uri == "/lakes/one"


def test_a_lake_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.from_env({"NEQUI_LAKE_URI": "~/lake", "NEQUI_LAKE_SOURCE": "~/inbox"}) == Settings(
        uri=f"{tmp_path}/lake", source=f"{tmp_path}/inbox", catalog_uri=f"sqlite:///{tmp_path}/lake/catalog.db"
    )


@pytest.mark.parametrize(
    "given", ["s3:/b/x", "gs://bucket", "https://example.org/lake", "file://localhost/x", "file:/x"]
)
def test_a_lake_that_is_no_folder_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Settings.from_env({"NEQUI_LAKE_URI": given})
    assert refusal.value.what == f"NEQUI_LAKE_URI is {given!r}, which is not supported."
    assert refusal.value.where == "NEQUI_LAKE_URI"
    assert "local folder" in str(refusal.value.fix)


@pytest.mark.parametrize("given", ["sample", "kaggle"])
def test_a_named_source_stays_a_name(given: str) -> None:
    assert Settings.from_env({"NEQUI_LAKE_SOURCE": given}).source == given


def test_a_relative_source_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    assert Settings.from_env({"NEQUI_LAKE_SOURCE": "inbox"}).source == f"{tmp_path}/inbox"
    assert Settings.from_env({"NEQUI_LAKE_SOURCE": "./sample"}).source == f"{tmp_path}/sample"


@pytest.mark.parametrize("given", ["much", "nan", "inf", "-1", "0", "101", "0,5"])
def test_a_scale_that_cannot_be_used_is_refused_with_its_range(given: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Settings.from_env({"NEQUI_LAKE_SAMPLE_SCALE": given})
    assert refusal.value.what == f"NEQUI_LAKE_SAMPLE_SCALE is {given!r}, which is not a number from 0.0001 to 100."
    assert "NEQUI_LAKE_SAMPLE_SCALE" in str(refusal.value.where)
    assert "unset it for 0.01" in str(refusal.value.fix)


@pytest.mark.parametrize(
    ("name", "given", "low"),
    [
        *(("NEQUI_LAKE_SAMPLE_SEED", given, 0) for given in ("one", "1.5", "-1", str(2**40))),
        *(("NEQUI_LAKE_ZIP_MAX_BYTES", given, 1) for given in ("64GB", "0", "1e9", str(2**61))),
        *(("NEQUI_LAKE_ZIP_MAX_RATIO", given, 1) for given in ("x", "0.5", "nan", "1e9")),
    ],
)
def test_a_number_that_cannot_be_used_is_refused_by_its_name(name: str, given: str, low: int) -> None:
    with pytest.raises(UsageError, match=rf"{name} is '{given}', which is not a .*number from {low} to ") as refusal:
        Settings.from_env({name: given})
    assert name in str(refusal.value.where)


@pytest.mark.parametrize("given", ["0.0001", "100", "5"])
def test_the_ends_of_a_range_belong_to_it(given: str) -> None:
    assert Settings.from_env({"NEQUI_LAKE_SAMPLE_SCALE": given}).sample_scale == float(given)


def test_a_limit_is_reported_exactly() -> None:
    with pytest.raises(UsageError) as refusal:
        Settings.from_env({"NEQUI_LAKE_ZIP_MAX_BYTES": "64GB"})
    assert "e+" not in str(refusal.value)


def test_a_lake_on_s3_is_in_glue_by_default() -> None:
    settings = Settings.from_env({"NEQUI_LAKE_URI": "s3://my-bucket/lakes/prod/"})
    assert (settings.uri, settings.catalog, settings.encryption) == ("s3://my-bucket/lakes/prod", "glue", "AES256")


@pytest.mark.parametrize(
    ("changes", "told"),
    {
        "no bucket": ({"NEQUI_LAKE_URI": "s3://"}, "not a bucket and a prefix"),
        "capital letters": ({"NEQUI_LAKE_URI": "s3://My_Bucket/x"}, "not a bucket and a prefix"),
        "a path that leads out": ({"NEQUI_LAKE_URI": "s3://bucket//x"}, "not a bucket and a prefix"),
        "no database": ({"NEQUI_LAKE_CATALOG": "sql"}, "needs a database"),
        "unknown catalog": ({"NEQUI_LAKE_CATALOG": "hive"}, "Set it to sql or glue"),
        "glue for a folder": ({"NEQUI_LAKE_URI": "lake", "NEQUI_LAKE_CATALOG": "glue"}, "cannot be in the Glue"),
        "unknown encryption": ({"NEQUI_LAKE_ENCRYPTION": "rot13"}, "the ARN of a KMS key"),
        "topic that is none": ({"NEQUI_LAKE_ALERT_TOPIC": "my-topic"}, "the ARN of an SNS topic"),
    }.values(),
)
def test_settings_of_a_lake_on_s3_that_cannot_be(changes: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Settings.from_env({"NEQUI_LAKE_URI": "s3://bucket/lake", **changes})
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("NEQUI_LAKE_SORCE", "/inbox", "NEQUI_LAKE_SORCE is no setting of the lake. Did you mean NEQUI_LAKE_SOURCE?"),
        ("NEQUI_LAKE_SCALE", "1", "NEQUI_LAKE_SCALE is no setting of the lake."),
        ("NEQUI_LAKE_SOURCE", "kagle", "'kagle', which is no source. Did you mean kaggle?"),
        ("NEQUI_LAKE_SOURCE", "inbox", "there is none of this name here"),
        ("NEQUI_LAKE_SOURCE", "s3//bucket/inbox", "not supported"),
        ("NEQUI_LAKE_URI", "s3//bucket/lake", "not supported"),
        ("NEQUI_LAKE_URI", "S3://bucket/lake", "not supported"),
        ("NEQUI_LAKE_URI", "s3:/bucket/lake", "not supported"),
    ],
)
def test_a_misspelt_setting_is_refused(variable: str, value: str, said: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Settings.from_env({variable: value})
    assert said in str(refusal.value)


def test_a_folder_beside_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_env({"NEQUI_LAKE_SOURCE": "./kagle"}).source == str(tmp_path / "kagle")
