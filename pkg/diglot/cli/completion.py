"""``diglot completion``: the script with which a shell completes commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell, to be sourced from its start-up file.

    \b
    Example:
      diglot completion bash >> ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    from diglot.cli.root import cli

    script = get_completion_class(shell)
    assert script is not None  # noqa: S101 - the choice above has only click's own
    click.echo(script(cli, {}, "diglot", "_DIGLOT_COMPLETE").source())
