"""The commands for the lake's infrastructure on AWS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nequi_lake.cli.show import say
from nequi_lake.errors import UsageError, needs_extra

if TYPE_CHECKING:
    from nequi_lake.cloud.stack import Options, Plan

app = typer.Typer(help="The lake's infrastructure on AWS, as one CloudFormation stack.", no_args_is_help=True)

StackOption = Annotated[str, typer.Option("--stack", help="Name of the stack.")]
TemplateOption = Annotated[Path | None, typer.Option("--template", help="The template, where this is no checkout.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="A parameter of the template, NAME=VALUE.")]
BucketOption = Annotated[
    bool | None, typer.Option("--existing-bucket/--make-bucket", help="Use a bucket that is there, or make one.")
]
STACK = "nequi-lake"


@app.command()
def plan(
    stack: StackOption = STACK,
    template: TemplateOption = None,
    parameters: SetOption = None,
    existing: BucketOption = None,
) -> None:
    """Say what deploy would change. Changes nothing."""
    options = _options(stack, template, parameters, existing)
    from nequi_lake.cloud import stack as cloud

    _show(cloud.plan(options))


@app.command()
def deploy(
    stack: StackOption = STACK,
    template: TemplateOption = None,
    parameters: SetOption = None,
    existing: BucketOption = None,
) -> None:
    """Make the stack, or change it to what is declared now."""
    options = _options(stack, template, parameters, existing)
    from nequi_lake.cloud import stack as cloud

    done = cloud.deploy(options, tell=say)
    _show(done.plan)
    for name, value in done.outputs.items():
        typer.echo(f"{name}: {value}")


@app.command()
def status(stack: StackOption = STACK) -> None:
    """Say how the stack is; exit code 1 where it is not well."""
    options = _options(stack, None, None, None)
    from nequi_lake.cloud import stack as cloud

    found = cloud.status(options)
    typer.echo(f"stack {found.stack}, account {found.account}, {found.region}: {found.state or 'not there'}")
    if found.state:
        there = "is there" if found.bucket_is_there else "is NOT there"
        typer.echo(f"last change: {found.updated:%Y-%m-%d %H:%M}\nbucket: {found.bucket} {there}")
    typer.echo(f"databases: {found.databases} of {len(options.datasets)}")
    for line in (*found.reasons, *(f"{name}: {value}" for name, value in found.outputs.items())):
        typer.echo(line)
    if not found.is_well:
        raise typer.Exit(1)


@app.command()
def destroy(
    stack: StackOption = STACK,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, say what would go.")] = False,
    delete_empty_bucket: Annotated[bool, typer.Option(help="Delete the bucket too, if it is empty.")] = False,
) -> None:
    """Take the stack down. Data stays."""
    options = _options(stack, None, None, None)
    from nequi_lake.cloud import stack as cloud

    gone = cloud.destroy(options, yes=yes, delete_empty_bucket=delete_empty_bucket, tell=say)
    typer.echo(f"the stack {stack} is taken down" if gone.was_there else f"there is no stack {stack}")
    for kept in gone.kept:
        typer.echo(f"kept: {kept}")
    if gone.removed_bucket:
        typer.echo("the empty bucket is deleted")


@app.command()
def template(path: TemplateOption = None) -> None:
    """Print the template with the declared datasets, for other tools to deploy."""
    with needs_extra("aws"):
        from nequi_lake.cloud.template import TEMPLATE, render
    from nequi_lake.datasets import discover

    typer.echo(render(path or TEMPLATE, discover().values()))


def _options(stack: str, template: Path | None, parameters: list[str] | None, existing: bool | None) -> Options:
    with needs_extra("aws"):
        from nequi_lake.cloud.stack import Options
        from nequi_lake.cloud.template import TEMPLATE
    from nequi_lake.datasets import discover
    from nequi_lake.lake.settings import Settings

    for text in parameters or ():
        if "=" not in text:
            raise UsageError(f"--set is {text!r}.", where="--set", fix="Write it as NAME=VALUE.")
    return Options(
        uri=Settings.from_env().uri,
        datasets=discover(),
        create_bucket=None if existing is None else not existing,
        parameters=dict(text.split("=", 1) for text in parameters or ()),
        stack=stack,
        template=template or TEMPLATE,
    )


def _show(planned: Plan) -> None:
    typer.echo(f"stack {planned.stack}, account {planned.account}, {planned.region}\nbucket: {planned.bucket}")
    for change in planned.changes:
        new = " (a new one takes its place)" if change.replacement in ("True", "Conditional") else ""
        typer.echo(f"  {change.action:7} {change.logical_id:24} {change.type}{new}")
    for note in planned.notes:
        typer.echo(f"note: {note}")
    if not planned.is_needed:
        typer.echo("no changes")
    elif not planned.changes:
        typer.echo("only parameters, outputs or tags change")
