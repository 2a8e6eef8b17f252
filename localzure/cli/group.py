"""Commands below one name."""

from __future__ import annotations

from typing import Any

import click


class CommandGroup(click.Group):
    """A group whose name alone prints what there is below it."""

    def __init__(self, **options: Any) -> None:
        """See `click.Group`."""
        super().__init__(invoke_without_command=True, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named, or print the help."""
        result = super().invoke(ctx)
        if ctx.invoked_subcommand is None:
            click.echo(ctx.get_help())
        return result
