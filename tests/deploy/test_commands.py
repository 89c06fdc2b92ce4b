"""Every ``diglot …`` that deploy/ starts, and every one that a page shows, is a command with these options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from diglot.cli.app import App
from diglot.cli.backup import BackupGroup
from diglot.cli.root import LazyGroup, cli
from tests.deploy.files import DEPLOY, PROJECT, command_lines

STARTED = command_lines()
PAGES = [PROJECT / "README.md", *(path for path in sorted((PROJECT / "docs").glob("*.md")) if path.name != "cli.md")]
TEXTS = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".json")
END = re.compile(r"\s(?:\||>|&&|;|#)|[…]")
"""Where a command ends in a line of a shell."""

NOBODY = click.Context(cli)


def parse(words: list[str]) -> click.Context:
    """As the command line parses them; ClickException for what it would refuse. Nothing is run."""
    context = cli.make_context("diglot", list(words), obj=App())
    command: click.Command = cli
    while isinstance(command, LazyGroup):
        rest = [*context._protected_args, *context.args]
        name, below, rest = command.resolve_command(context, rest)
        assert below is not None
        command, context = below, below.make_context(name, rest, parent=context)
    return context


@pytest.mark.parametrize("place", STARTED)
def test_what_is_started_is_accepted(place: str, tmp_path: Path) -> None:
    parse([word.replace("/var/lib/diglot-metrics/", f"{tmp_path}/") for word in STARTED[place]])


def test_each_job_does_what_it_is_named_for_everywhere() -> None:
    for place, words in STARTED.items():
        job = re.search(r"(?:diglot-|\.yml )(backup|prune|doctor)", place)
        assert words[0] == (job[1] if job else "start"), place


def test_a_job_never_waits_for_a_person() -> None:
    """There is no terminal: what asks would fail."""
    prunings = [words for words in STARTED.values() if words[0] == "prune"]
    assert len(prunings) == 5
    assert all("--yes" in words for words in prunings)


@pytest.mark.parametrize(
    "words",
    [["backup", "--keep", "x", "a"], ["prune", "--older-than", "30"], ["start", "--trusted-proxys", "a"], ["backups"]],
)
def test_what_the_command_line_would_refuse_is_found(words: list[str]) -> None:
    with pytest.raises(click.ClickException):
        parse(words)


# --- what is shown -----------------------------------------------------------------------------------------


def shown(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, words after 'diglot') of every command in a page or in a comment."""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        texts = re.findall(r"`((?:\S+/)?diglot [^`]+)`", line) + re.findall(r"'(diglot [^']+)'", line)
        if match := re.search(r"(?:^\$ |^#.* --rm |&& |^ +(?=/))((?:\S+/)?diglot .*)", line):
            texts.append(match[1])
        for text in texts:
            bare = END.split(text)[0]
            try:
                yield number, shlex.split(bare)[1:]
            except ValueError:  # a quote that ends on the next line
                yield number, bare.split()[1:]


def fault(words: list[str]) -> str | None:
    """What is not in the command line: a page may leave out what it does not speak of, but invent nothing."""
    command: click.Command = cli
    for word in words:
        if isinstance(command, BackupGroup) and word not in command.list_commands(NOBODY):
            command = command.get_command(NOBODY, "create") or command
        options = {name for parameter in command.params for name in parameter.opts} | {"--help", "--version"}
        if word.startswith("--"):
            if word.partition("=")[0] not in options:
                return f"{command.name} has no {word}"
        elif isinstance(command, LazyGroup):
            below = command.get_command(NOBODY, word)
            if below is None:
                return f"there is no {command.name} {word}"
            command = below
    return None


@pytest.mark.parametrize("path", [*PAGES, *TEXTS], ids=lambda path: str(path.relative_to(PROJECT)))
def test_what_is_shown_exists(path: Path) -> None:
    faults = {f"{path.name}:{number}": fault(words) for number, words in shown(path)}
    assert {place: text for place, text in faults.items() if text} == {}


def test_commands_are_found_in_pages_and_comments() -> None:
    found = {path.name: [words for _, words in shown(path)] for path in [*PAGES, *TEXTS]}
    assert ["backup", "--keep", "7", "/var/backups/diglot"] in found["backup.md"]
    assert ["init", "--admin", "ada@example.org"] in found["sqlite.yml"]
    assert ["init", "--admin", "ada@example.org"] in found["deploying.md"]
    assert sum(map(len, found.values())) > 100


@pytest.mark.parametrize("words", [["backups"], ["backup", "--kep", "7"], ["user", "invite"], ["doctor", "--fast"]])
def test_what_does_not_exist_is_found(words: list[str]) -> None:
    assert fault(words) is not None
