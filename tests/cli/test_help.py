"""Every command can be found, understood and tried: help, examples, documentation, completion."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys

import click
import pytest

from diglot._version import __version__
from diglot.cli.app import App
from diglot.cli.root import EPILOG, LazyGroup, cli
from tests.cli.regenerate import PAGE, commands, page
from tests.cli.running import COMMAND, diglot

COMMANDS = {path: command for path, command, _ in commands()}
LEAVES = [path for path, command in COMMANDS.items() if not isinstance(command, LazyGroup)]

PROMISED = """
quickstart init start completion generate check drift catalogue copy restore export import prune stats doctor optimize
config show
migrate up|down|status|new|bless
user create|list|show|update|delete
key issue|list|revoke|rotate
auth check
workflow replay|list|show|cancel|stale|delete
query list|show
backup create|verify
"""


def promised() -> set[str]:
    quick, *rest = PROMISED.strip().splitlines()
    found = {f"diglot {name}" for name in quick.split()}
    for line in rest:
        group, names = line.split()
        found |= {f"diglot {group} {name}" for name in names.split("|")}
    return found


def test_every_promised_command_exists_and_no_other() -> None:
    assert set(LEAVES) == promised()


def test_the_page_in_docs_is_what_the_help_says() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.cli.regenerate"


@pytest.mark.parametrize("path", COMMANDS)
def test_help_is_full_sentences_with_an_example(path: str) -> None:
    done = diglot(*path.split()[1:], "--help")
    assert done.code == 0
    assert done.err == ""
    command = COMMANDS[path]
    text = command.help or ""
    assert text[0].isupper()
    assert text.partition("\n\n")[0].rstrip().endswith(".")
    assert f"  {path}" in text.partition("Example:")[2]
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, parameter.name
            assert parameter.help[0].isupper(), parameter.help
            assert parameter.help.endswith("."), parameter.help


@pytest.mark.parametrize("path", COMMANDS)
def test_the_example_of_the_help_is_accepted(path: str) -> None:
    example = (COMMANDS[path].help or "").partition("Example:")[2].strip().splitlines()[0]
    words = shlex.split(re.split(r" (?:<|>>|>) ", example)[0])[1:]
    context = cli.make_context("diglot", words, obj=App())
    command: click.Command = cli
    while isinstance(command, LazyGroup):
        words = [*context._protected_args, *context.args]
        name, below, words = command.resolve_command(context, words)
        assert below is not None
        command, context = below, below.make_context(name, words, parent=context)


@pytest.mark.parametrize("path", [path for path in COMMANDS if path != "diglot"])
def test_the_help_says_that_global_options_may_stand_after_the_command(path: str) -> None:
    assert COMMANDS[path].epilog == EPILOG
    names = {name for parameter in COMMANDS[path].params for name in parameter.opts}
    assert {"--database-url", "--db-driver", "--db-path", "--config", "--format", "--debug"} <= names


def test_the_version_is_told() -> None:
    assert diglot("--version") == (0, f"diglot {__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["user"]])
def test_without_a_command_the_help_is_shown_as_for_an_error(arguments: list[str]) -> None:
    done = diglot(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("Usage: diglot")


def test_the_help_of_all_commands_needs_no_heavy_module() -> None:
    code = (
        "import sys; from diglot.cli.main import main; main(['--help']); main(['user', 'list', '--help']);"
        "heavy = {'rich', 'pydantic', 'psycopg', 'yoyo', 'aiosql', 'sqlite_utils'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_the_shell_can_read(shell: str) -> None:
    done = diglot("completion", shell)
    assert done.code == 0
    assert "_DIGLOT_COMPLETE" in done.out
    if shutil.which(shell):
        read = subprocess.run([shell, "-n"], input=done.out, capture_output=True, text=True, check=False)
        assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("diglot us", {"user"}),
        ("diglot user li", {"list"}),
        ("diglot workflow list --wor", {"--workflow-id"}),
        ("diglot --db-path x.db completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_completion_knows_commands_and_options(words: str, completions: set[str]) -> None:
    env = {
        **os.environ,
        "_DIGLOT_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(COMMAND, capture_output=True, text=True, env=env, check=False)
    assert {line.partition(",")[2] for line in done.stdout.split()} == completions
