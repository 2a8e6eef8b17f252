"""`localzure completion`: the script with which a shell completes commands and flags."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "localzure"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    For example, in ~/.bashrc: eval "$(localzure completion bash)"
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells of the argument"
    click.echo(kind(context.find_root().command, {}, PROGRAM, "_LOCALZURE_COMPLETE").source())
