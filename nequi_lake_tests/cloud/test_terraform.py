"""The Terraform module has what the templates have: each parameter a variable, each output an output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest

from nequi_lake.cloud.template import read_template, template_path

MODULE = Path(__file__).parents[2] / "infra" / "terraform"
TEMPLATES = {name: read_template(template_path(name)) for name in ("lake", "service")}
GIVEN = set(TEMPLATES["lake"]["Outputs"]) & set(TEMPLATES["service"]["Parameters"])
"""Parameters of the service that the lake's stack gives."""
PARAMETERS: dict[str, Mapping[str, Any]] = {
    **TEMPLATES["lake"]["Parameters"],
    **{name: found for name, found in TEMPLATES["service"]["Parameters"].items() if name not in GIVEN},
}


def blocks(file: str, kind: str) -> dict[str, Any]:
    """The blocks of a kind of a file, by name, with strings as they are meant."""
    found = _plain(hcl2.loads((MODULE / file).read_text()))
    return {name: body for block in found[kind] for name, body in block.items() if name != "__is_block__"}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value


def snake(name: str) -> str:
    """The Terraform name of a CloudFormation one."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("GiB", "Gib")).lower()


def stack(name: str) -> dict[str, Any]:
    """The resource of a stack."""
    found: dict[str, Any] = blocks_of_stacks()[name]
    return found


def blocks_of_stacks() -> dict[str, Any]:
    """The stacks of the module, by name."""
    found = _plain(hcl2.loads((MODULE / "main.tf").read_text()))["resource"]
    return {name: body for block in found for name, body in block["aws_cloudformation_stack"].items()}


def test_every_parameter_is_a_variable_and_the_module_has_two_of_its_own() -> None:
    assert set(blocks("variables.tf", "variable")) == {*map(snake, PARAMETERS), "lake_template", "tags"}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_variable_is_as_its_parameter(name: str) -> None:
    parameter, variable = PARAMETERS[name], blocks("variables.tf", "variable")[snake(name)]
    assert variable["description"] == parameter["Description"]
    assert variable.get("default") == parameter.get("Default")
    assert variable["nullable"] is False
    kinds = {"Number": "number", "List<AWS::EC2::Subnet::Id>": "list(string)"}
    assert variable["type"].strip("${}") == kinds.get(parameter["Type"], "string")
    conditions = "".join(_plain(check["condition"]) for check in variable.get("validation", ()))
    if pattern := parameter.get("AllowedPattern"):
        assert f'regex("^(?:{pattern})$", var.{snake(name)})' in conditions.replace("\\\\", "\\")
    for value in parameter.get("AllowedValues", ()):
        assert f'"{value}"' in conditions
    for bound, sign in (("MinValue", ">="), ("MaxValue", "<=")):
        if bound in parameter:
            assert f"{sign} {parameter[bound]}" in conditions
    limits = {"AllowedPattern", "AllowedValues", "MinValue", "MaxValue"} & set(parameter)
    assert bool(conditions) == bool(limits)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_stack_is_given_each_of_its_parameters(name: str) -> None:
    given, declared = stack(name)["parameters"], TEMPLATES[name]["Parameters"]
    outputs = TEMPLATES["lake"]["Outputs"]
    assert set(given) == set(declared)
    for parameter, value in given.items():
        if name == "service" and parameter in GIVEN:
            default = declared[parameter].get("Default")
            of_lake = "aws_cloudformation_stack.lake.outputs"
            # An output behind a condition may be missing.
            wanted = (
                f'lookup({of_lake}, "{parameter}", "{default}")'
                if "Condition" in outputs[parameter]
                else f'{of_lake}["{parameter}"]'
            )
        elif declared[parameter]["Type"].startswith("List<"):
            wanted = f'join(",", var.{snake(parameter)})'
        else:
            wanted = f"var.{snake(parameter)}"
        assert value == f"${{{wanted}}}", parameter


def test_the_stacks_are_of_the_templates() -> None:
    lake, service = stack("lake"), stack("service")
    assert lake["template_body"] == "${file(var.lake_template)}"
    (template,) = re.findall(r'file\("\$\{path\.module\}/(.*)"\)', service["template_body"])
    assert (MODULE / template).resolve() == template_path("service").resolve()
    assert lake["capabilities"] == service["capabilities"] == ["CAPABILITY_IAM"]
    assert lake["lifecycle"][0]["prevent_destroy"] is True
    # The names that the scripts and `infra check` use.
    assert (lake["name"], service["name"]) == ("nequi-lake", "nequi-lake-service")


def test_every_output_is_an_output() -> None:
    outputs = {
        snake(name): {
            "description": output["Description"],
            "value": f'${{lookup(aws_cloudformation_stack.{stack_name}.outputs, "{name}", null)}}'
            if "Condition" in output
            else f'${{aws_cloudformation_stack.{stack_name}.outputs["{name}"]}}',
        }
        for stack_name, template in TEMPLATES.items()
        for name, output in template["Outputs"].items()
    }
    found = blocks("outputs.tf", "output")
    assert {name: {key: body[key] for key in ("description", "value")} for name, body in found.items()} == outputs


def test_the_page_gives_the_module_variables_that_it_has_and_all_that_it_needs() -> None:
    page = (MODULE / "README.md").read_text()
    (example,) = re.findall(r"```hcl\n(.*?)```", page, re.DOTALL)
    (module,) = hcl2.loads(example)["module"]
    given = set(module['"nequi_lake"']) - {"source", "__is_block__"}
    variables = blocks("variables.tf", "variable")
    assert {name for name, variable in variables.items() if "default" not in variable} <= given <= set(variables)
