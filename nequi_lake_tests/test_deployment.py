"""What a deployment is made from is sound as far as that can be told without an account: template, image, workflows,
Dagster's configuration."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster_aws.ecs import EcsRunLauncher
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager
from dagster_postgres import DagsterPostgresStorage

from nequi_lake.lake.storage.aws import access

ROOT = Path(__file__).parent.parent
SERVICE = ROOT / "infra" / "service.yaml"


def lint(*command: str) -> str:
    """What a linter has to say."""
    done = subprocess.run(
        [Path(sys.executable).parent / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_the_service_template_is_sound() -> None:
    assert lint("cfn-lint", str(SERVICE)) == ""


def test_the_image_is_sound_and_copies_what_is_there() -> None:
    assert lint("hadolint", "Dockerfile") == ""
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        name
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY")
        for name in line.split()[1:-1]
    ]
    assert set(copied) == kept
    assert [name for name in copied if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name)
def test_workflows_are_sound(path: Path) -> None:
    assert lint("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)) == ""


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name)
def test_workflows_run_actions_of_known_commits_and_keep_no_credentials(path: Path) -> None:
    text = path.read_text()
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)] == []
    steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert [step for step in checkouts if step.get("with", {}).get("persist-credentials") is not False] == []


def variables_of(container: str) -> set[str]:
    """The environment variables that a container of the service template has."""
    text = SERVICE.read_text().split(f"- Name: {container}\n", 1)[1].split("LogConfiguration", 1)[0]
    return set(re.findall(r"- \{Name: ([A-Z_]+),", text))


@pytest.mark.parametrize("container", ["code", "webserver", "daemon", "run"])
def test_every_container_has_the_variables_that_dagster_asks_for(container: str) -> None:
    asked = set(re.findall(r"env: ([A-Z_]+)", (ROOT / "infra" / "dagster.yaml").read_text()))
    assert asked
    assert asked <= variables_of(container)


def test_dagster_takes_its_configuration(aws: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in variables_of("daemon"):
        monkeypatch.setenv(name, "nequi-lake-run" if name.endswith("DEFINITION") else "x")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    access().client("ecs").register_task_definition(
        family="nequi-lake-run", containerDefinitions=[{"name": "run", "image": "x", "memory": 1}]
    )
    (tmp_path / "dagster.yaml").write_bytes((ROOT / "infra" / "dagster.yaml").read_bytes())
    configured = InstanceRef.from_dir(str(tmp_path))
    settings: Any = configured.settings
    assert configured.storage_data
    assert configured.storage_data.class_name == DagsterPostgresStorage.__name__
    assert isinstance(configured.run_launcher, EcsRunLauncher)
    assert isinstance(configured.compute_log_manager, S3ComputeLogManager)
    limits = settings["concurrency"]["runs"]["tag_concurrency_limits"]
    assert [(limit["key"], limit["limit"]) for limit in limits] == [("dataset", 1)]
    assert settings["run_retries"] == {
        "enabled": True,
        "max_retries": 2,
        "retry_on_asset_or_op_failure": False,
    }


def test_the_workspace_is_the_code_location_of_the_same_task() -> None:
    (location,) = yaml.safe_load((ROOT / "infra" / "workspace.yaml").read_text())["load_from"]
    assert location["grpc_server"]["port"] == 4000
    assert '-p, "4000", -m, nequi_lake.definitions' in SERVICE.read_text()
