"""``diglot completion``: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell, to be sourced in its start-up file.

    \b
    Example:
      diglot completion bash >> ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    from diglot.cli.root import cli

    script = get_completion_class(shell)
    assert script is not None  # noqa: S101 - the choice above has none but click's own
    click.echo(script(cli, {}, "diglot", "_DIGLOT_COMPLETE").source())
