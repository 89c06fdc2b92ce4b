"""Literals, operators, casts and the functions with a syntax of their own: null if an operand is, with exceptions."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlglot import exp

from diglot.check.catalog import Kinds
from diglot.check.lineage.conditions import MATCHES
from diglot.check.lineage.parsing import text
from diglot.check.lineage.values import (
    BOOL,
    BYTES,
    FLOAT,
    INT,
    JSON,
    TEXT,
    TIMESTAMP,
    Value,
    any_null,
    computed,
    strict,
    unknown,
)
from diglot.sql.session import Dialect

_CASTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("TEXT", "VARCHAR", "CHAR", "NVARCHAR"), TEXT),
    **dict.fromkeys(("INT", "BIGINT", "SMALLINT", "TINYINT"), INT),
    **dict.fromkeys(("DOUBLE", "FLOAT", "REAL"), FLOAT),
    **dict.fromkeys(("JSON", "JSONB"), JSON),
    **dict.fromkeys(("VARBINARY", "BLOB", "BINARY"), BYTES),
    "BOOLEAN": BOOL,
    "TIMESTAMPTZ": TIMESTAMP,
}
_TRUTHS = (exp.ArrayContainsAll, exp.ArrayContainedBy, exp.ArrayOverlaps, exp.JSONBContains)
_BITS = (exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseLeftShift, exp.BitwiseRightShift, exp.BitwiseNot)
_CONSTANTS = (exp.CurrentUser, exp.CurrentRole, exp.SessionUser, exp.CurrentSchema, exp.CurrentCatalog)
_TIMES = (exp.CurrentDate, exp.CurrentTime, exp.Localtime, exp.Localtimestamp, exp.Interval)
_DOCUMENTS = (exp.JSONExtract, exp.JSONExtractScalar, exp.JSONBExtract, exp.JSONBExtractScalar)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def value(node: Any, values: list[Value], dialect: Dialect) -> Value:
    """What is known about an expression whose parts have these values."""
    truth = BOOL if dialect == "postgres" else BOOL | INT
    if isinstance(node, exp.Literal):
        return Value(_literal(node, dialect), False)
    if isinstance(node, exp.Null):
        return Value(None, True)
    if isinstance(node, exp.Boolean | exp.Is | exp.NullSafeEQ | exp.NullSafeNEQ):
        return Value(truth, False)
    if isinstance(node, (exp.Not, exp.Escape, *MATCHES, *_TRUTHS)):
        return strict(truth, values)
    if isinstance(node, exp.Cast):
        return _cast(node, values, dialect)
    if isinstance(node, _DOCUMENTS):
        return _document(node, dialect)
    if isinstance(node, exp.DPipe):
        return _joined(values, dialect)
    if isinstance(node, exp.Div | exp.Mod) and dialect == "sqlite" and not _is_not_zero(node.expression):
        result = computed(values)
        if result.nullable is False:
            why = f"SQLite divides by zero to null, and {text(node.expression)} may be zero"
            return msgspec.structs.replace(result, nullable=None, why=why)
        return result
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod):
        return computed(values)
    if isinstance(node, exp.Neg):
        return computed(values)
    if isinstance(node, (*_BITS, exp.StrPosition)):
        return strict(INT, values)
    if isinstance(node, exp.Trim | exp.Overlay):
        return strict(TEXT, values)
    if isinstance(node, exp.Substring):
        return _substring(node, values)
    if isinstance(node, exp.Extract | exp.AtTimeZone | exp.Pow):
        return strict(None, values[-1:] if isinstance(node, exp.Extract) else values)
    if isinstance(node, exp.CurrentTimestamp):
        return Value(TIMESTAMP if dialect == "postgres" else TEXT, False)
    if isinstance(node, (*_CONSTANTS, *_TIMES)):
        return Value(TEXT if dialect == "sqlite" or isinstance(node, _CONSTANTS) else None, False)
    if isinstance(node, exp.HexString | exp.ByteString):
        return Value(BYTES, False)
    if isinstance(node, exp.RawString | exp.Heredoc | exp.National | exp.UnicodeString):
        return Value(TEXT, False)
    if isinstance(node, exp.Array | exp.Tuple):
        return Value(None, False)
    if isinstance(node, exp.Bracket):
        return Value(None, True, untyped=f"{text(node)} has the type of an item")
    return unknown(f"{text(node)} is not something that the check knows")


def _literal(node: Any, dialect: Dialect) -> Kinds:
    """SQLite takes any text that looks like JSON or a time for it, and 0 and 1 for false and true."""
    if node.is_string:
        if dialect == "postgres":
            return TEXT
        written = str(node.this)
        kinds = TEXT | (TIMESTAMP if _TIMESTAMP.fullmatch(written) else frozenset())
        return kinds | (JSON if _is_json(written) else frozenset())
    if not node.is_int:
        return FLOAT
    return INT | BOOL if dialect == "sqlite" and node.this in ("0", "1") else INT


def _is_json(written: str) -> bool:
    try:
        msgspec.json.decode(written)
    except msgspec.DecodeError:
        return False
    return True


def _cast(node: Any, values: list[Value], dialect: Dialect) -> Value:
    kinds = _CASTS.get(node.to.this.name if not isinstance(node.to.this, str) else node.to.this)
    untyped = "" if kinds else f"the type {text(node.to)} is none of a header"
    operand = values[0] if values else unknown(text(node))
    if dialect == "postgres" and operand.kinds == JSON and kinds not in (JSON, TEXT) and operand.nullable is False:
        return Value(kinds, None, why="a JSON null becomes null", untyped=untyped)
    return Value(kinds, operand.nullable, why=operand.why, untyped=untyped)


def _document(node: Any, dialect: Dialect) -> Value:
    """What is in a document: the path may lead nowhere."""
    if isinstance(node, exp.JSONExtractScalar | exp.JSONBExtractScalar):
        untyped = "" if dialect == "postgres" else f"{text(node)} has the type of the value in the document"
        return Value(TEXT if dialect == "postgres" else None, True, untyped=untyped)
    return Value(JSON, True)


def _joined(values: list[Value], dialect: Dialect) -> Value:
    """Text; PostgreSQL joins arrays and documents too, and an array with null is that array."""
    kinds: list[frozenset[str]] = [value.kinds or frozenset() for value in values]
    if any(kind.endswith("[]") for each in kinds for kind in each):
        nullable = False if any(value.nullable is False for value in values) else any_null(values)[0]
        return Value(None, nullable)
    if dialect == "postgres" and any(each == JSON for each in kinds):
        return strict(JSON, values)
    return strict(TEXT, values)


def _substring(node: Any, values: list[Value]) -> Value:
    """``substring(x from 2)``; of a pattern there may be no match."""
    start = node.args.get("start")
    nullable, why = any_null(values)
    if nullable is False and not (isinstance(start, exp.Literal) and start.is_int):
        nullable, why = None, f"{text(node)} is null if {text(start)} is a pattern without a match"
    return Value(TEXT, nullable, why=why)


def _is_not_zero(node: Any) -> bool:
    inner = node.unnest()
    return isinstance(inner, exp.Literal) and not inner.is_string and float(inner.this) != 0
