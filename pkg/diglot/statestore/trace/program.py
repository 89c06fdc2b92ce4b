"""The name of the program that a trace's command runs, as a tool_id.

Most traces have a program or its path. Nextflow's have the task's whole shell script, which begins with preparations
(``unset DISPLAY``, ``mkdir tmp``, ``[ -f x ] || ln -s …``); the first other command is the task's purpose.
"""

from __future__ import annotations

import re

from diglot.statestore.repositories.validation import MAX_ID_BYTES, MAX_ID_LENGTH

_PREPARATION = re.compile(
    "case|cat|cd|chmod|cp|declare|def|do|done|echo|elif|else|esac|eval|exec|export|fi|for|function|if|let|ln|local|"
    "ls|mkdir|mv|printf|pwd|read|return|rm|set|shift|shopt|sleep|source|template|test|then|time|touch|trap|true|"
    "ulimit|umask|unset|until|wait|while"
)
_PLAIN = re.compile(r"[A-Za-z0-9_][\w.+@-]*")
_ASSIGNMENT = re.compile(r"\w+\s?\+?=")
_HERE_DOCUMENT = re.compile(r"<<-?\s*['\"]?(\w+)")


def program_name(program: str | None) -> str | None:
    """``/opt/bin/mProject`` → ``mProject``, a shell script → its first real command; None if there is none."""
    if program is None:
        return None
    words = program.split()
    if len(words) == 1:
        name = words[0].rstrip("/").rpartition("/")[2]
        usable = name.isprintable() and any(character.isalnum() for character in name)
        return as_id(name) if usable else None
    preparation = None
    for command in _commands(program):
        if _ASSIGNMENT.match(command):
            continue
        name = command.split(maxsplit=1)[0].rpartition("/")[2]
        if not _PLAIN.fullmatch(name):
            continue
        if not _PREPARATION.fullmatch(name):
            return as_id(name)
        preparation = preparation or name
    return preparation


def as_id(name: str, mark: str = "") -> str:
    """The name followed by the mark, with the name cut to fit both into an id."""
    cut = name[: MAX_ID_LENGTH - len(mark)].encode()[: MAX_ID_BYTES - len(mark.encode())]
    return cut.decode(errors="ignore") + mark


def _commands(script: str) -> list[str]:
    """The script's commands, one per line, without comments and the texts of here-documents."""
    found = []
    end: str | None = None
    for line in script.replace("\\\n", " ").splitlines():
        command = line.strip()
        if end is not None:
            if command == end:
                end = None
            continue
        if command and not command.startswith("#"):
            found.append(command)
            here = _HERE_DOCUMENT.search(command)
            end = here[1] if here else None
    return found
