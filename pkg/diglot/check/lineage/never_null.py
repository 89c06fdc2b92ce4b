"""The functions that are never null for arguments that are not; the tests run each of them on its engine.

Whether one of PostgreSQL's is null for an argument that is null, its catalog says; for SQLite's it is said here.
"""

from __future__ import annotations

from typing import Literal

from diglot.check.catalog import Kinds
from diglot.check.lineage.values import BOOL, BYTES, FLOAT, INT, JSON, TEXT

Rule = Literal["", "strict", "first", "never", "texts", "places", "pattern", "document", "numbers", "paths", "moment"]
"""``strict``: null if an argument is; ``first``: if the first is; ``never``. The others are strict for some arguments:

``texts``; ``places`` that are numbers (not patterns); a ``pattern`` that is not empty; a whole ``document``;
``numbers``; ``paths`` that are constants; the ``moment`` now.
"""


def _of(names: str) -> list[str]:
    return names.split()


_POSTGRES_STRICT = _of("""
    abs age array_to_json ascii bit_length btrim cardinality ceil ceiling char_length character_length chr
    clock_timestamp convert_from convert_to current_database date_bin date_trunc decode div encode exp floor gcd
    gen_random_uuid generate_series hashtext initcap json_array_length json_strip_nulls json_typeof jsonb_array_length
    jsonb_pretty jsonb_strip_nulls jsonb_typeof lcm left length ln log lpad ltrim make_date make_time make_timestamp
    make_timestamptz md5 mod nextval now octet_length pg_backend_pid pi power quote_ident quote_literal random
    regexp_count regexp_instr regexp_like regexp_replace repeat replace reverse right round row_to_json rpad rtrim
    sha224 sha256 sha384 sha512 sign split_part sqrt starts_with statement_timestamp strpos timeofday to_date to_hex
    to_json to_jsonb to_timestamp transaction_timestamp translate trunc unistr uuidv7 version
""")
_POSTGRES_NEVER = _of("""
    array_append array_prepend concat json_build_array json_build_object jsonb_build_array jsonb_build_object
    num_nonnulls num_nulls quote_nullable
""")

POSTGRES: dict[str, Rule] = {
    **dict.fromkeys(_POSTGRES_STRICT, "strict"),
    **dict.fromkeys(_POSTGRES_NEVER, "never"),
    **dict.fromkeys(_of("concat_ws format string_to_array"), "first"),
    **dict.fromkeys(_of("lower upper"), "texts"),  # of an empty range there is no bound
    **dict.fromkeys(_of("substr substring"), "places"),  # of a pattern there may be no match
    "to_char": "pattern",
}

SQLITE: dict[str, tuple[Rule, Kinds]] = {
    **dict.fromkeys(_of("lower upper trim ltrim rtrim substr substring replace"), ("strict", TEXT)),
    **dict.fromkeys(_of("length octet_length instr json_error_position"), ("strict", INT)),
    **dict.fromkeys(_of("glob like json_valid"), ("strict", BOOL | INT)),
    **dict.fromkeys(_of("json json_pretty json_patch"), ("strict", JSON)),
    **dict.fromkeys(_of("jsonb jsonb_patch"), ("strict", BYTES)),
    **dict.fromkeys(_of("json_array json_object json_quote"), ("never", JSON)),
    **dict.fromkeys(_of("jsonb_array jsonb_object randomblob zeroblob"), ("never", BYTES)),
    **dict.fromkeys(_of("char concat hex quote sqlite_source_id sqlite_version typeof"), ("never", TEXT)),
    **dict.fromkeys(_of("changes last_insert_rowid random total_changes"), ("never", INT)),
    **dict.fromkeys(_of("format printf"), ("pattern", TEXT)),
    **dict.fromkeys(_of("json_set json_insert json_replace"), ("paths", JSON)),
    **dict.fromkeys(_of("date time datetime strftime"), ("moment", TEXT)),
    **dict.fromkeys(_of("cos degrees exp radians sin tan"), ("numbers", FLOAT)),
    "json_array_length": ("document", INT),
    "json_type": ("document", TEXT),
    "julianday": ("moment", FLOAT),
    "concat_ws": ("first", TEXT),
    "pi": ("never", FLOAT),
    "round": ("strict", FLOAT),
    "unixepoch": ("moment", INT),
}
