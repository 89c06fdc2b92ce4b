"""Reads a query file into sources: for each query its typed header, its documentation and its SQL, cut at conditions.

aiosql's own first line stays (``-- name: get_task^``); the comment lines right below it are the header,
``-- key: value`` or documentation. Anything unknown, missing, unused or written twice is an error with its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from diglot.errors import QueryFileError
from diglot.sql.assertions import Assertion, assertion
from diglot.sql.misread import misread
from diglot.sql.scanner import Kind, Token, position, scan
from diglot.sql.session import Dialect
from diglot.sql.types import TYPES
from diglot.text_file import normalised

BASE_TYPES = tuple(TYPES)
SUFFIXES = {
    "": "list of rows",
    "^": "one row or none",
    "$": "one value",
    "!": "rows affected",
    "*!": "rows affected, many at once",
    "#": "script",
}
KEYS = ("param", "returns", "asserts", "differs", "plan", "only", "idempotent")

_NAME_LINE = re.compile(r"--\s*name\s*:\s*(?P<spec>.*?)\s*$")
_NAME_LINES = re.compile(r"^--[ \t]*name[ \t]*:", re.MULTILINE)
_SPEC = re.compile(r"(?P<name>[a-z][a-z0-9_]*)\s*(?:\((?P<params>[^()]*)\))?\s*(?P<suffix>\S*)$")
_KEY_LINE = re.compile(r"--\s*(?P<key>[a-z][a-z_-]*)\s*:(?:\s+(?P<value>.*?))?\s*$")
_TYPE = re.compile(r"(?P<base>[a-z]+)(?P<list>\[\])?(?P<null>\?)?$")
_RETURNS = re.compile(r"(?P<name>[A-Za-z]\w*)(?P<null>\?)?$")
_PARAMETER_NAME = re.compile(r"[a-z][a-z0-9_]*$")
_CONDITION = re.compile(r"/\*\s*if\s+:(?P<name>[a-z][a-z0-9_]*)\s*\*/$")
_END = re.compile(r"/\*\s*end\s*\*/$")
_CONDITION_LIKE = re.compile(r"/\*\s*(if\b|end\b|else\b|elif\b)")


class Parameter(msgspec.Struct, frozen=True):
    """A declared parameter: ``type`` is one of BASE_TYPES; ``is_list`` for ``T[]``; ``nullable`` for ``T?``."""

    name: str
    type: str
    is_list: bool = False
    nullable: bool = False

    @property
    def declaration(self) -> str:
        """As it is written in the header: ``text[]?``."""
        return f"{self.type}{'[]' if self.is_list else ''}{'?' if self.nullable else ''}"


class Segment(msgspec.Struct, frozen=True):
    """A part of the SQL that is always there (``condition`` None), or only if this parameter is not None."""

    condition: str | None
    tokens: list[Token]


class QuerySource(msgspec.Struct, frozen=True, kw_only=True):
    """One query as it is written in its file. ``line`` and ``column`` are those of its name."""

    subject: str
    name: str
    suffix: str
    parameters: list[Parameter]
    returns: str | None
    returns_nullable: bool
    doc: str
    differs: str | None
    plan: str | None
    only: str | None
    idempotent: str | None
    assertions: list[Assertion] = []
    segments: list[Segment]
    text: str
    file: str
    line: int
    column: int

    @property
    def full_name(self) -> str:
        """``subject.name``, as in errors, statistics and pg_stat_activity."""
        return f"{self.subject}.{self.name}"

    @property
    def conditions(self) -> list[str]:
        """The parameters that switch blocks on, each once, in the order of the text."""
        return list(dict.fromkeys(s.condition for s in self.segments if s.condition is not None))

    @property
    def sql(self) -> str:
        """The SQL without its header, with every conditional block and its marks, as a person reads it."""
        return self.text


def read_queries(source: str, subject: str, file: str, dialect: Dialect) -> list[QuerySource]:
    """The queries of one file in its order. QueryFileError, with the place, for any mistake."""
    queries, problems = inspect_queries(source, subject, file, dialect)
    if problems:
        raise problems[0]
    return queries


def inspect_queries(
    source: str, subject: str, file: str, dialect: Dialect
) -> tuple[list[QuerySource], list[QueryFileError]]:
    """The valid queries of one file, and all its mistakes, in the order of the file.

    A string or a comment that does not end would include all that follows: the query it is in is left out,
    and the next name line begins the next query.
    """
    source = normalised(source)
    problems: list[QueryFileError] = []
    tokens = _tokens_of_what_ends(source, file, problems)
    starts = [i for i, token in enumerate(tokens) if _is_name_line(source, token)]
    reader = _Reader(source, subject, file, dialect, problems)
    reader.refuse_code(tokens[: starts[0]] if starts else tokens)
    seen: dict[str, QuerySource] = {}
    for start, end in pairwise([*starts, len(tokens)]):
        query = reader.query(tokens[start:end])
        if query is not None and query.name in seen:
            reader.problem(
                f"a query named {query.name!r} is already at line {seen[query.name].line}", tokens[start].start
            )
        elif query is not None:
            seen[query.name] = query
    return list(seen.values()), sorted(problems, key=lambda problem: (problem.line, problem.column))


def _tokens_of_what_ends(source: str, file: str, problems: list[QueryFileError]) -> list[Token]:
    while True:
        try:
            return scan(source, file)
        except QueryFileError as error:
            problems.append(error)
            at = _offset(source, error)
            begins = max((m.start() for m in _NAME_LINES.finditer(source, 0, at)), default=0)
            following = _NAME_LINES.search(source, at)
            ends = following.start() if following else len(source)
            source = source[:begins] + re.sub(r"[^\n]", " ", source[begins:ends]) + source[ends:]


def _offset(source: str, error: QueryFileError) -> int:
    return sum(len(line) for line in source.splitlines(keepends=True)[: error.line - 1]) + error.column - 1


def _is_name_line(source: str, token: Token) -> bool:
    at_line_start = token.start == 0 or source[token.start - 1] == "\n"
    return token.kind is Kind.LINE_COMMENT and at_line_start and bool(_NAME_LINE.match(token.text))


class _Reader:
    """Reads the queries of one file; knows what error messages need."""

    def __init__(self, source: str, subject: str, file: str, dialect: Dialect, problems: list[QueryFileError]) -> None:
        self.source = source
        self.subject = subject
        self.file = file
        self.dialect = dialect
        self.problems = problems

    def problem(self, message: str, offset: int) -> None:
        line, column = position(self.source, offset)
        self.problems.append(QueryFileError(message, file=self.file, line=line, column=column))

    def refuse_code(self, tokens: list[Token]) -> None:
        for token in tokens:
            if token.kind not in (Kind.LINE_COMMENT, Kind.BLOCK_COMMENT) and token.text.strip():
                offset = token.start + len(token.text) - len(token.text.lstrip())
                self.problem("SQL outside a query: a query begins with '-- name: …'", offset)
                return

    def query(self, tokens: list[Token]) -> QuerySource | None:
        """The query, or None if it has a mistake."""
        start = tokens[0].start
        before = len(self.problems)
        named = self._name_line(tokens[0])
        if named is None:
            return None
        name, declared, suffix = named
        header, body = self._split(tokens[1:])
        values: dict[str, str] = {}
        parameters: dict[str, Parameter] = {}
        assertions: dict[str, Assertion] = {}
        doc: list[str] = []
        for token in header:
            found = _KEY_LINE.match(token.text)
            if found is None:
                doc.append(token.text[2:].strip())
                continue
            key, value = found["key"], found["value"] or ""
            if key not in KEYS:
                self.problem(f"unknown header key {key!r}: use one of {', '.join(KEYS)}", token.start)
            elif not value:
                self.problem(f"'{key}:' has no value", token.start)
            elif key == "param":
                parameter = self._parameter(value, token)
                if parameter is not None and parameter.name in parameters:
                    self.problem(f"parameter {parameter.name!r} is declared twice", token.start)
                elif parameter is not None:
                    parameters[parameter.name] = parameter
            elif key == "asserts":
                self._assert(value, assertions, token.start)
            elif key in values:
                self.problem(f"{key!r} appears twice in this header", token.start)
            else:
                values[key] = value
        if len(self.problems) > before:
            return None  # what follows would only repeat the same mistake
        if declared is not None and list(parameters) != declared:
            self.problem(
                f"the name line declares ({', '.join(declared)}), the param lines ({', '.join(parameters)}): "
                "both must list the same parameters in the same order",
                start,
            )
        for offset, message in misread(tokens, self.dialect):
            self.problem(message, offset)
        segments = self._segments(body, parameters, name, start)
        if suffix != "#":
            self._refuse_second_statement(body, name)
        returns, nullable = self._returns(values.get("returns"), suffix, name, start)
        if assertions and returns is None:
            self.problem(f"query {name!r} returns no columns: 'asserts:' is about a column of the result", start)
        if suffix == "#" and parameters:
            self.problem(f"script {name!r} can't have parameters", start)
        if len(self.problems) > before:
            return None
        line, column = position(self.source, start)
        return QuerySource(
            subject=self.subject,
            name=name,
            suffix=suffix,
            parameters=list(parameters.values()),
            returns=returns,
            returns_nullable=nullable,
            doc="\n".join(doc).strip(),
            differs=values.get("differs"),
            plan=values.get("plan"),
            only=values.get("only"),
            idempotent=values.get("idempotent"),
            assertions=list(assertions.values()),
            segments=segments,
            text="".join(token.text for token in body).strip(),
            file=self.file,
            line=line,
            column=column,
        )

    def _name_line(self, token: Token) -> tuple[str, list[str] | None, str] | None:
        """Name, parameter list and suffix; the list is None if the line has none: the param lines suffice."""
        line = _NAME_LINE.match(token.text)
        spec = _SPEC.match(line["spec"]) if line else None
        if spec is None:
            message = (
                "the name line must read '-- name: name' and a suffix, or '-- name: name(parameter, …)' and a suffix; "
                "names in lower case with underscores"
            )
            self.problem(message, token.start)
            return None
        suffix = spec["suffix"]
        if suffix == "<!":
            message = "suffix '<!' means four things on four drivers: use 'returning' with '^', '$' or no suffix"
            self.problem(message, token.start)
            return None
        if suffix not in SUFFIXES:
            known = ", ".join(repr(s) for s in SUFFIXES if s)
            self.problem(f"unknown suffix {suffix!r}: use none or one of {known}", token.start)
            return None
        if spec["params"] is None:
            return spec["name"], None, suffix
        declared = [part.strip() for part in spec["params"].split(",")] if spec["params"].strip() else []
        for name in declared:
            if not _PARAMETER_NAME.match(name):
                self.problem(f"{name!r} is not a parameter name", token.start)
                return None
        return spec["name"], declared, suffix

    def _split(self, tokens: list[Token]) -> tuple[list[Token], list[Token]]:
        """The comment lines right below the name line, and the rest."""
        header: list[Token] = []
        for i, token in enumerate(tokens):
            if token.kind is Kind.LINE_COMMENT:
                header.append(token)
            elif token.kind is not Kind.CODE or token.text.strip() or token.text.count("\n") > 1:
                return header, tokens[i:]
        return header, []

    def _parameter(self, value: str, token: Token) -> Parameter | None:
        name, _, declaration = value.partition(" ")
        if not _PARAMETER_NAME.match(name):
            self.problem(f"{name!r} is not a parameter name", token.start)
            return None
        found = _TYPE.match(declaration.strip())
        if found is None or found["base"] not in BASE_TYPES:
            self.problem(
                f"parameter {name!r} has the unknown type {declaration.strip()!r}: use {', '.join(BASE_TYPES)}, "
                "'T[]' for a list, followed by '?' if it may be null",
                token.start,
            )
            return None
        if found["list"] and not TYPES[found["base"]].in_lists:
            message = f"parameter {name!r}: a list of {found['base']} can't be passed to SQLite"
            self.problem(message, token.start)
            return None
        return Parameter(name, found["base"], bool(found["list"]), bool(found["null"]))

    def _assert(self, value: str, assertions: dict[str, Assertion], start: int) -> None:
        found = assertion(value, BASE_TYPES)
        if isinstance(found, str):
            self.problem(found, start)
        elif found.column in assertions:
            self.problem(f"column {found.column!r} has two 'asserts:' lines: write one", start)
        else:
            assertions[found.column] = found

    def _returns(self, value: str | None, suffix: str, name: str, start: int) -> tuple[str | None, bool]:
        if suffix in ("!", "*!", "#"):
            if value is not None:
                self.problem(f"query {name!r} returns {SUFFIXES[suffix]}: it can't have 'returns:'", start)
            return None, False
        if value is None:
            self.problem(f"query {name!r} returns {SUFFIXES[suffix]}: declare its type with '-- returns: …'", start)
            return None, False
        found = _RETURNS.match(value)
        if found is None:
            self.problem(f"'returns: {value}' is neither a model nor a type", start)
            return None, False
        if suffix == "$" and found["name"] not in BASE_TYPES:
            message = f"query {name!r} returns one value, so 'returns:' names a type: {', '.join(BASE_TYPES)}"
            self.problem(message, start)
        return found["name"], bool(found["null"])

    def _segments(self, body: list[Token], parameters: dict[str, Parameter], name: str, start: int) -> list[Segment]:
        segments: list[Segment] = []
        current: list[Token] = []
        condition: Token | None = None
        used: set[str] = set()
        misspelt = False

        def close(switch: str | None) -> None:
            if current:
                segments.append(Segment(switch, list(current)))
                current.clear()

        for token in body:
            if token.kind is Kind.PARAMETER:
                if token.name not in parameters:
                    self.problem(f"parameter {token.text!r} is not declared", token.start)
                used.add(token.name)
            if token.kind is not Kind.BLOCK_COMMENT or not _CONDITION_LIKE.match(token.text):
                current.append(token)
                continue
            opening = _CONDITION.match(token.text)
            if opening:
                if condition is not None:
                    self.problem("a conditional block inside a conditional block", token.start)
                if opening["name"] not in parameters:
                    self.problem(f"parameter ':{opening['name']}' is not declared", token.start)
                elif not parameters[opening["name"]].nullable:
                    message = f"parameter {opening['name']!r} is never null, so this block is always there"
                    self.problem(message, token.start)
                close(None)
                condition = token
                used.add(opening["name"])
            elif _END.match(token.text):
                if condition is None:
                    self.problem("'/* end */' without '/* if :parameter */'", token.start)
                    continue
                close(_condition_name(condition))
                condition = None
            else:
                message = "a conditional block reads '/* if :parameter */ … /* end */'"
                self.problem(message, token.start)
                misspelt = True
        if condition is not None and not misspelt:
            self.problem("this conditional block has no '/* end */'", condition.start)
        close(None)
        if not any(_says_something(token) for token in body):
            self.problem(f"query {name!r} has no SQL", start)
            return segments
        unused = [p for p in parameters if p not in used]
        if unused:
            self.problem(f"query {name!r} declares {', '.join(unused)} but does not use it", start)
        return segments

    def _refuse_second_statement(self, body: list[Token], name: str) -> None:
        """One statement for each call: SQLite's driver takes no more, nor does PostgreSQL with parameters."""
        end: int | None = None
        for token in body:
            text = token.text
            if end is None and token.kind is Kind.CODE and ";" in text:
                end = token.start + text.index(";")
                text = text[text.index(";") :]
            if end is not None and _says_something(Token(token.kind, text, token.start)):
                self.problem(f"query {name!r} has a second statement after this ';': use a script ('#')", end)
                return


def _condition_name(token: Token) -> str:
    found = _CONDITION.match(token.text)
    assert found is not None  # noqa: S101 - only opened with a match
    return found["name"]


def _says_something(token: Token) -> bool:
    return token.kind not in (Kind.LINE_COMMENT, Kind.BLOCK_COMMENT) and bool(token.text.strip(" \t\n;"))


def words(tokens: list[Token]) -> Iterator[str]:
    """The bare words of the code in lower case, without strings, identifiers and comments."""
    for token in tokens:
        if token.kind is Kind.CODE:
            for found in re.finditer(r"[^\W\d]\w*", token.text):
                yield found.group().lower()
