"""The stack's template: the file, what the declared datasets add to it, and the parameters that it takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import UsageError

TEMPLATE = Path(__file__).parents[2] / "infra" / "lake.yaml"
"""The template in a checkout; a wheel does not have it."""

MAX_TEMPLATE_BYTES = 51_200
"""What CloudFormation takes in a request."""


def render(template: Path, datasets: Iterable[Dataset], without: Iterable[str] = ()) -> str:
    """The template as JSON, with what follows from the datasets.

    Args:
        template: the YAML file.
        datasets: each gets a database, and its ARNs in the policies.
        without: names of datasets whose database is there already, outside of the stack.

    Raises:
        UsageError: there is no such file, it is no template, or there are more datasets than CloudFormation takes.
    """
    if not template.is_file():
        raise UsageError(
            "The template is not here: a package that was installed from a wheel does not have it.",
            where=str(template),
            fix="Run it in a checkout of the repository, or give the path: --template infra/lake.yaml",
        )
    try:
        # A subclass of the safe loader that only knows CloudFormation's tags besides.
        body: dict[str, Any] = yaml.load(template.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
        resources: dict[str, Any] = body["Resources"]
        declared = list(datasets)
        for statement in _database_statements(resources):
            statement["Resource"] += [arn for dataset in declared for arn in _arns(dataset)]
        left_out = set(without)
        for dataset in declared:
            if dataset.name not in left_out:
                resources[_logical_id(dataset)] = _database(dataset)
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise UsageError(
            f"It is not the lake's template: {error}",
            where=str(template),
            fix="Take infra/lake.yaml of the repository.",
        ) from error
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > MAX_TEMPLATE_BYTES:
        raise UsageError(
            f"With {len(declared)} datasets the template is {len(text.encode()):,} bytes; "
            f"CloudFormation takes {MAX_TEMPLATE_BYTES:,}.",
            where=str(template),
            fix="Print it with nequi-lake infra template, and deploy it with aws cloudformation deploy --s3-bucket.",
        )
    return text


def check_parameters(wanted: dict[str, str], known: Mapping[str, Mapping[str, Any]]) -> None:
    """Hold parameters against the template; those that it no longer has are dropped, missing
    ones get its default.

    Raises:
        UsageError: a value that CloudFormation would refuse, or a trigger that is not whole.
    """
    for name in wanted.keys() - known.keys():
        del wanted[name]
    for name, rule in known.items():
        if "Default" in rule:
            wanted.setdefault(name, str(rule["Default"]))
    for name, value in wanted.items():
        rule = known[name]
        if not re.fullmatch(rule.get("AllowedPattern", "(?s).*"), value):
            raise _wrong(name, value, rule)
        if "AllowedValues" in rule and value not in rule["AllowedValues"]:
            raise _wrong(name, value, rule)
        if rule["Type"] == "Number" and not (value.isdigit() and int(value) >= rule.get("MinValue", 0)):
            raise _wrong(name, value, rule)
    if wanted.get("ClusterArn"):
        for name in ("TaskDefinitionArn", "Subnets", "SecurityGroup"):
            if not wanted.get(name):
                raise UsageError(
                    f"A trigger needs {name}, too.", where=name, fix=f"Give {name}, or leave out ClusterArn."
                )


def _wrong(name: str, value: str, rule: Mapping[str, Any]) -> UsageError:
    return UsageError(f"The parameter {name} is {value!r}.", where=name, fix=f"It is to be: {rule['Description']}")


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
        # Without its database nobody would know which files are the tables'.
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "CatalogId": {"Ref": "AWS::AccountId"},
            "DatabaseInput": {
                "Name": dataset.name,
                "Description": f"{dataset.title}. {dataset.use_case}",
                "LocationUri": {"Fn::Sub": f"s3://${{BucketName}}/${{LakePrefix}}/processed/{dataset.name}"},
            },
        },
    }
