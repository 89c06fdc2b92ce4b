"""Writes docs/cli.md from the ``--help`` texts: ``python -m tests.cli.regenerate``. A test compares the two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from diglot.cli.app import App
from diglot.cli.root import LazyGroup, cli

PAGE = Path(__file__).parent.parent.parent / "docs" / "cli.md"
INTRODUCTION = """\
# The command line

What `diglot --help` and the help of each command say. This page is generated (`python -m tests.cli.regenerate`), and
a test fails if it is not up to date.

* **Global options** may come before or after the command; those after it override those before it.
* **Standard output** has only the answer; progress, remarks and warnings go to standard error. With
  `--format json` the answer is one JSON document: field names are those of the models, times are
  `2026-01-31T09:05:07.000123Z`, a page is `{"items": […], "next": cursor or null}`.
* **Exit codes**: 0 done · 1 refused, or found something · 2 usage or configuration · 3 the database can't be reached or
  does not answer in time · 130 interrupted (Ctrl-C) · 143 terminated (SIGTERM) · 129 terminated (SIGHUP) ·
  141 the reader of the output is gone.
* **Errors** are one line on standard error; `--debug` adds the traceback. Passwords and keys are in neither.
* **Completion**: `diglot completion bash >> ~/.bashrc`, and the same for zsh; for fish,
  `diglot completion fish > ~/.config/fish/completions/diglot.fish`.
"""


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command by its full name, groups before what they hold."""
    context = click.Context(cli, info_name="diglot", obj=App(), terminal_width=80, max_content_width=80)
    yield from _walk("diglot", cli, context)


def _walk(
    path: str, command: click.Command, context: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    yield path, command, context
    if isinstance(command, LazyGroup):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _walk(f"{path} {name}", below, click.Context(below, context, name, terminal_width=80))


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for path, command, context in commands():
        level = "#" * min(len(path.split()) + 1, 3)
        parts.append(f"{level} {path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
