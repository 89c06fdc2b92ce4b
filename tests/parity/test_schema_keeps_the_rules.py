"""The schema is made of what both databases have and understand alike: in the text of the migrations, and as built."""

import re

import pytest

from diglot.sql.loader import load_text
from diglot.sql.session import DIALECTS
from diglot.statestore.project import TREES
from tests.parity.rules import NULLABLE, matching
from tests.parity.sql_code import migrations, tidy, words

FORBIDDEN = {
    # column types that only one has, or that mean other things
    *("varchar", "char", "character", "citext", "enum", "type", "domain", "smallint", "real", "float", "double"),
    *("numeric", "decimal", "money", "uuid", "inet", "interval", "boolean", "json", "timestamp", "array"),
    # numbers that the engine hands out
    *("serial", "bigserial", "smallserial", "identity", "autoincrement", "sequence", "nextval", "rowid"),
    # what behaves by build, locale or version
    *("trigger", "function", "view", "extension", "like", "ilike", "similar", "upper", "generated", "case", "coalesce"),
    # writes that cascade or overwrite
    *("replace", "ignore", "truncate"),
}


@pytest.mark.parity(3, 7, 13, 14, 17, 20, 29, 46, 47, 90, 97)
def test_no_migration_uses_what_only_one_database_has():
    offences = {(dialect, name): words(text) & FORBIDDEN for dialect, name, text in migrations()}
    assert {name: found for name, found in offences.items() if found} == {}


@pytest.mark.parity(13)
def test_every_name_has_at_most_60_bytes():
    for dialect, name, text in migrations():
        assert [word for word in words(text) if len(word.encode()) > 60] == [], (dialect, name)


@pytest.mark.parity(12, 16)
def test_nothing_stands_in_double_quotes_but_the_collation():
    for dialect, name, text in migrations():
        quoted = set(re.findall(r"[\"`][^\"`]*[\"`]", tidy(text)))
        assert quoted <= ({'"c"'} if dialect == "postgres" else set()), name
        assert not matching(r"\b[xb]''")(text), name


@pytest.mark.parity(1, 2)
def test_lower_stands_in_the_rules_about_emails_only():
    using = {(dialect, name) for dialect, name, text in migrations() if "lower" in words(text)}
    assert using == {(dialect, "20250711163857_create_users.sql") for dialect in DIALECTS}
    for dialect, name in using:
        (text,) = [t for d, n, t in migrations() if (d, n) == (dialect, name)]
        assert set(re.findall(r"lower ?\([^)]*\)", tidy(text))) == {"lower(email)"}


@pytest.mark.parity(18, 48)
def test_every_sqlite_table_is_strict():
    made = [
        table for d, _, text in migrations() if d == "sqlite" for table in re.findall(r"create table .*?;", tidy(text))
    ]
    assert len(made) == 4
    assert all(table.endswith(") strict;") for table in made)


@pytest.mark.parity(63)
def test_sqlite_asks_whether_it_is_json_before_it_asks_what_it_is():
    for dialect, name, text in migrations():
        for column in re.findall(r"json_type\((\w+)\)", tidy(text)):
            assert dialect == "sqlite"
            assert f"json_valid({column}) and json_type({column}) = ''" in tidy(text), name


@pytest.mark.parity(91)
def test_a_column_that_is_added_has_a_constant_default():
    added = [(d, c) for d, _, text in migrations() for c in re.findall(r"add column (\w+ [^,;]*)", tidy(text))]
    assert {d for d, _ in added} == set(DIALECTS)
    for dialect, column in added:
        assert "not null" not in column or re.search(r"default (\d+|'')( |$)", column), (dialect, column)


@pytest.mark.parity(74)
def test_constraints_and_indexes_have_names():
    rule = r"(?:check|primary key|foreign key|unique) ?\("
    for dialect, name, text in migrations():
        code = tidy(text)
        assert len(re.findall(rf"constraint (?:pk|fk|uq|ck)_\w+ {rule}", code)) == len(re.findall(rule, code)), (
            dialect,
            name,
        )
        for index in re.findall(r"create (?:unique )?index (?:concurrently )?(\w+)", code):
            assert index.startswith(("ix_", "uq_")), (dialect, name)


# --- as built ---

COLUMNS = {
    "postgres": """
        select
            table_name,
            column_name,
            data_type,
            is_nullable = 'YES' as nullable,
            collation_name
        from information_schema.columns
        where table_schema = current_schema() and table_name in ('workflow_states', 'task_states', 'users', 'api_keys')
        order by table_name, ordinal_position
    """,
    "sqlite": """
        select
            t.name,
            c.name,
            c.type,
            c."notnull" = 0,
            null
        from sqlite_schema as t, pragma_table_xinfo(t.name) as c
        where t.type = 'table' and t.name in ('workflow_states', 'task_states', 'users', 'api_keys')
        order by t.name, c.cid
    """,
}
SAME_TYPE = {
    ("TEXT", "text"): "text",
    ("TEXT", "jsonb"): "json",
    ("TEXT", "timestamp with time zone"): "timestamp",
    ("INTEGER", "bigint"): "int",
    ("BLOB", "bytea"): "bytes",
}
DOCUMENTS = {"usage", "input", "output", "error"}
TIMES = {"created_at", "updated_at", "last_used", "expires_at"}


def kind(name):
    if name in DOCUMENTS:
        return "json"
    if name in TIMES:
        return "timestamp"
    return {"version": "int", "hash": "bytes"}.get(name, "text")


def columns(db):
    statement = load_text(f"-- name: q()!\n{COLUMNS[db.store.dialect]}", db.store.dialect).q.bind({})[0].statement
    return db.store.rows(statement)


@pytest.mark.parity(7, 17, 20, 46, 97)
def test_each_column_has_the_type_that_its_dialect_has_for_it(db):
    postgres = db.store.dialect == "postgres"
    types = {name: pair[postgres] for pair, name in SAME_TYPE.items()}
    found = columns(db)
    assert len(found) == 10 + 18 + 5 + 8
    assert {(t, c): given for t, c, given, *_ in found} == {(t, c): types[kind(c)] for t, c, *_ in found}


@pytest.mark.parity(6)
def test_every_text_column_sorts_by_code_points(db):
    # SQLite compares bytes unless a column says otherwise, and no migration says so.
    for table, column, _, _, collation in columns(db):
        wanted = "C" if db.store.dialect == "postgres" and kind(column) == "text" else None
        assert collation == wanted, (table, column)
    assert not any("collate" in words(text) for dialect, _, text in migrations() if dialect == "sqlite")


@pytest.mark.parity(48, 66)
def test_only_these_columns_may_be_null(db):
    assert {column for _, column, _, nullable, _ in columns(db) if nullable} == NULLABLE


@pytest.mark.parity(14)
def test_no_name_of_ours_is_reserved(db):
    # Each name, without quotes, as a column and as a table.
    names = sorted({column for _, column, *_ in columns(db)} | {table for table, *_ in columns(db)})
    inside = ", ".join(f"{name} integer" for name in names)
    tables = " ".join(f"drop table {table}; create table {table} ({inside});" for table in
                      ("api_keys", "users", "task_states", "workflow_states"))  # fmt: skip
    load_text(f"-- name: q#\n{tables}", db.store.dialect).q(db.store)
    statement = (
        load_text(f"-- name: q()!\nselect {', '.join(names)} from users", db.store.dialect).q.bind({})[0].statement
    )
    assert db.store.columns(statement) == (names, [])


@pytest.mark.parity(91)
def test_both_trees_have_the_same_migrations():
    trees = [[m.id for m in TREES.migration_tree(dialect).migrations] for dialect in DIALECTS]
    assert trees[0] == trees[1]
