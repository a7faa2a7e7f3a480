"""``nequi-lake infra`` as a person uses it: what it prints, and its exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from nequi_lake.cli import main
from nequi_lake.lake.storage.aws import access

# The stand-in makes no resources of these types, and says so by a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS.*not supported by moto:UserWarning")

Infra = Callable[..., tuple[int, str, str]]


@pytest.fixture
def infra(aws: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Infra:
    """Runs a command; gives its exit code, and what it printed."""
    monkeypatch.setenv("NEQUI_LAKE_URI", "s3://acme-lake/lake")
    monkeypatch.setattr("nequi_lake.cloud.stack.Options.poll_s", 0)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nequi-lake", "infra", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


def test_from_plan_to_destroy(infra: Infra) -> None:
    code, out, _ = infra("plan")
    assert code == 0
    assert "bucket: acme-lake will be made" in out
    assert "  Add     Workgroup" in out

    code, out, err = infra("deploy")
    assert code == 0
    assert "CREATE_COMPLETE  nequi-lake" in err

    for again in ("plan", "deploy"):
        code, out, _ = infra(again)
        assert (code, out.splitlines()[-1]) == (0, "no changes")

    code, out, _ = infra("status")
    assert code == 0
    assert "CREATE_COMPLETE" in out
    assert "bucket: acme-lake is there" in out

    access().client("s3").put_object(Bucket="acme-lake", Key="lake/x", Body=b"1")
    code, _, err = infra("destroy")
    assert code == 2
    assert "--yes" in err
    code, out, _ = infra("destroy", "--yes", "--delete-empty-bucket")
    assert code == 0
    assert "kept: the bucket acme-lake, which is not empty" in out
    assert access().client("s3").get_object(Bucket="acme-lake", Key="lake/x")["Body"].read() == b"1"
    assert infra("destroy", "--yes")[1] == "there is no stack nequi-lake\n"
    code, out, _ = infra("status")
    assert code == 1
    assert "not there" in out


def test_a_parameter_that_is_none_is_wrong_use(infra: Infra) -> None:
    code, _, err = infra("plan", "--set", "AlarmEmail")
    assert code == 2
    assert "NAME=VALUE" in err


def test_without_credentials_nothing_is_planned(infra: Infra, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    code, _, err = infra("plan")
    assert code == 2
    assert "There are no AWS credentials" in err
    assert "Traceback" not in err


def test_the_template_comes_with_the_declared_datasets(infra: Infra) -> None:
    code, out, _ = infra("template")
    assert code == 0
    kinds = [resource["Type"] for resource in json.loads(out)["Resources"].values()]
    assert kinds.count("AWS::Glue::Database") == 3
