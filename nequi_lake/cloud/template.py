"""The templates of the stacks: their files, and what the declared datasets add to the lake's."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import UsageError

MAX_TEMPLATE_BYTES = 51_200
"""What CloudFormation takes in a request; a larger template goes through a bucket."""


def template_path(name: str) -> Path:
    """Return the path of the template ``lake`` or ``service``: in the installed package, or in a checkout beside it."""
    package = Path(__file__).parents[1]
    installed = package / "infra" / f"{name}.yaml"
    return installed if installed.is_file() else package.parent / "infra" / f"{name}.yaml"


def read_template(path: Path) -> dict[str, Any]:
    """Return a template with CloudFormation's short tags in their long form, such as ``{"Ref": "Bucket"}``."""
    # A subclass of the safe loader that only knows CloudFormation's tags besides.
    body: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    return body


def render(template: Path, datasets: Collection[Dataset], without: Iterable[str] = ()) -> str:
    """Return the lake's template as JSON, with what follows from the datasets.

    Args:
        template: the YAML file.
        datasets: each gets a database, and its ARNs in the policies.
        without: names of datasets whose database exists outside of the stack.

    Raises:
        UsageError: one of ``without`` is no dataset.
    """
    left_out = set(without)
    for unknown in sorted(left_out - {dataset.name for dataset in datasets}):
        raise UsageError(
            f"There is no dataset {unknown}.",
            where="--without",
            fix=f"Name some of: {', '.join(dataset.name for dataset in datasets)}.",
        )
    body = read_template(template)
    resources: dict[str, Any] = body["Resources"]
    for statement in _database_statements(resources):
        statement["Resource"] += [arn for dataset in datasets for arn in _arns(dataset)]
    for dataset in datasets:
        if dataset.name not in left_out:
            resources[_logical_id(dataset)] = _database(dataset)
    return json.dumps(body, indent=1, ensure_ascii=False)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's short tags as the long form."""


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt":
        value = str(value).split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tagged)


def _database_statements(resources: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in resources.values():
        for statement in resource["Properties"].get("PolicyDocument", {}).get("Statement", ()):
            if statement.get("Sid", "").endswith("Databases"):
                yield statement


def _arns(dataset: Dataset) -> Iterator[dict[str, str]]:
    for kind in (f"database/{dataset.name}", f"table/{dataset.name}/*"):
        yield {"Fn::Sub": f"arn:${{AWS::Partition}}:glue:${{AWS::Region}}:${{AWS::AccountId}}:{kind}"}


def _logical_id(dataset: Dataset) -> str:
    # CloudFormation's names have no underscore, and the names of datasets no capital letter: U stands for it.
    return "Database" + dataset.name.replace("_", "U")


def _database(dataset: Dataset) -> dict[str, Any]:
    return {
        "Type": "AWS::Glue::Database",
        # The database holds which files are the tables'.
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "CatalogId": {"Ref": "AWS::AccountId"},
            "DatabaseInput": {
                "Name": dataset.name,
                "Description": dataset.summary,
                "LocationUri": {"Fn::Sub": f"s3://${{BucketName}}/${{LakePrefix}}/processed/{dataset.name}"},
            },
        },
    }
