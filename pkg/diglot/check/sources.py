"""The query files of a project as written: what can be read of them, what can't, and where each line is."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from diglot.check.finding import Finding
from diglot.errors import QueryFileError
from diglot.project import Project
from diglot.sql.header import QuerySource, inspect_queries
from diglot.sql.loader import read_text
from diglot.sql.scanner import position
from diglot.sql.session import Dialect
from diglot.text_file import shown

_NAME_LINE = re.compile(r"^--[ \t]*name[ \t]*:[ \t]*(\w+)", re.MULTILINE)


class SourceFile:
    """One query file; ``queries`` are the valid ones, ``problems`` what is wrong with the others."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self.path = path
        self.dialect = dialect
        self.subject = path.name.removesuffix(".sql")
        self.shown = shown(path)
        self.text = ""
        self.queries: list[QuerySource] = []
        self.problems: list[QueryFileError] = []
        try:
            self.text = read_text(path)
        except QueryFileError as error:
            self.problems = [error]
        else:
            self.queries, self.problems = inspect_queries(self.text, self.subject, str(path), dialect)

    @cached_property
    def names(self) -> list[str]:
        """The names of all queries, also of those that can't be read."""
        return _NAME_LINE.findall(self.text)

    def name_at(self, line: int) -> str:
        """The query that a line belongs to, ``subject.name``; the subject alone above the first."""
        before = [m[1] for m in _NAME_LINE.finditer(self.text) if position(self.text, m.start())[0] <= line]
        return f"{self.subject}.{before[-1]}" if before else self.subject

    def finding(self, check: str, query: QuerySource, message: str, key: str | None = None) -> Finding:
        """A finding at a line of the query's header (``returns``, ``param limit``), else at its name line."""
        line = self._header_line(query, key) if key else query.line
        return Finding(check, self.shown, line, 1, query.full_name, message)

    def finding_at(self, check: str, query: QuerySource, message: str, offset: int) -> Finding:
        """A finding at an offset of the file's text."""
        line, column = position(self.text, offset)
        return Finding(check, self.shown, line, column, query.full_name, message)

    def _header_line(self, query: QuerySource, key: str) -> int:
        key, _, name = key.partition(" ")
        wanted = re.compile(rf"--\s*{key}\s*:\s*{re.escape(name)}" + (r"(?!\w)" if name else ""))
        for number, line in enumerate(self.text.split("\n")[query.line :], query.line + 1):
            if not line.startswith("--"):
                break
            if wanted.match(line):
                return number
        return query.line


def source_files(project: Project, dialect: Dialect) -> list[SourceFile]:
    """The query files of a dialect, in the order of their names."""
    return [SourceFile(path, dialect) for path in project.query_files(dialect)]
