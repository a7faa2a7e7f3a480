"""What a deployment is made from is sound as far as that can be told without an account: template, image, workflows,
Dagster's configuration."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster_aws.ecs import EcsRunLauncher
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager
from dagster_postgres import DagsterPostgresStorage

from nequi_lake.lake.storage.aws import access

pytestmark = pytest.mark.long

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
    assert {name for name in copied if Path(name).parts[0] not in kept} == set() == kept - set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []


@pytest.mark.long
def test_the_package_is_built_in_the_image_from_what_it_copies(tmp_path: Path) -> None:
    before = (ROOT / "Dockerfile").read_text().split("RUN pip install --no-cache-dir --no-deps")[0]
    for line in before.splitlines():
        for name in line.split()[1:-1] if line.startswith("COPY") else ():
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(tmp_path)]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert "nequi_lake/infra/service.yaml" in zipfile.ZipFile(wheel).namelist()


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


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name)
def test_a_step_fails_where_any_command_of_a_pipe_does(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    default = workflow.get("defaults", {}).get("run", {}).get("shell")
    piped = [
        step
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if re.search(r"[^|]\|[^|]", step.get("run", ""))
    ]
    # GitHub runs `bash` with pipefail where it is named, and without it by default.
    assert [step["run"] for step in piped if step.get("shell", default) != "bash"] == []


def test_a_tag_builds_wheel_and_image_and_a_release_deploys_that_image() -> None:
    release, deploy = (
        yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text()) for name in ("release", "deploy")
    )
    # YAML reads the key `on` as true.
    assert release[True] == {"push": {"tags": ["v*"]}}
    steps = {job: " ".join(step.get("run", "") for step in found["steps"]) for job, found in release["jobs"].items()}
    assert 'scripts/check-tag "$GITHUB_REF_NAME"' in steps["wheel"]
    assert "uv build" in steps["wheel"]
    assert "docker build" in steps["image"]
    assert "docker push" in steps["image"]
    assert "--draft" in steps["draft"]
    assert deploy[True]["release"] == {"types": ["published"]}
    (given,) = [step for step in deploy["jobs"]["deploy"]["steps"] if "deploy-service" in step.get("run", "")]
    pushed = release["jobs"]["image"]["env"]["IMAGE"].replace(" || 'nequi-lake'", "")
    assert given["env"]["IMAGE"] == pushed


def test_a_tag_that_is_not_the_version_is_refused() -> None:
    check = ROOT / "scripts" / "check-tag"
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert subprocess.run([check, f"v{version}"], check=False).returncode == 0
    for wrong in ("v99.0", version, ""):
        refused = subprocess.run([check, wrong], capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert f"the tag has to be v{version}" in refused.stderr


@pytest.mark.parametrize(("stacks", "deployed"), [("nequi-lake\tnequi-lake-service", True), ("nequi-lake", False)])
def test_an_image_is_given_to_a_service_that_there_is(stacks: str, deployed: bool, tmp_path: Path) -> None:
    deploy = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    (step,) = [step for step in deploy["jobs"]["deploy"]["steps"] if "deploy-service" in step.get("run", "")]
    (tmp_path / "scripts").mkdir()
    for name, text in (("aws", f'printf "{stacks}\\n"'), ("scripts/deploy-service", 'echo "$@" > given')):
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "IMAGE": "acme/nequi-lake:v1"}
    subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], env=environment, cwd=tmp_path, check=True)
    assert (tmp_path / "given").exists() == deployed
    if deployed:
        assert (tmp_path / "given").read_text() == "Image=acme/nequi-lake:v1\n"


def variables_of(container: str) -> set[str]:
    """The environment variables that a container of the service template has."""
    text = SERVICE.read_text().split(f"- Name: {container}\n", 1)[1].split("LogConfiguration", 1)[0]
    return set(re.findall(r"\{Name: ([A-Z_]+),", text))


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
