"""Asking before something is destroyed: the user types what is to go, or has said `--yes`."""

from __future__ import annotations

import sys

import click

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def confirm(what: str, word: str, *, yes: bool) -> None:
    """Let the user type `word` to have `what` destroyed. Raises ClickException where they do not, or cannot."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.ClickException(f"{what} would be destroyed: say --yes where nobody can be asked")
    typed = click.prompt(f"This destroys {what}. Type {word!r} to go on", default="", show_default=False, err=True)
    if typed != word:
        raise click.ClickException("nothing was destroyed: something else was typed")
