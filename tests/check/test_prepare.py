"""Check 3 by mutation: each single change makes a finding at its line, and what is right makes none."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from diglot.check.finding import Finding
from diglot.check.headers import check_headers
from diglot.check.parity import check_parity
from diglot.check.prepare import check_prepare
from diglot.check.scratch import migrate
from diglot.project import Project
from diglot.sql.session import Statement
from diglot.statestore.project import TREES
from diglot.stores import open_store
from diglot.stores.settings import SQLiteSettings
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.check.shop_trees import SCHEMA, write_queries
from tests.databases import POSTGRES, Databases

Stores = tuple[Store, Store]


@pytest.fixture(scope="module")
def stores(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Both databases with the shop's tables; the newer PostgreSQL is enough for what is ours."""
    server = databases.postgres(POSTGRES[-1])
    name = server.create(migrated=False)
    settings = SQLiteSettings(path=str(tmp_path_factory.mktemp("shop") / "shop.db"))
    with open_store(parse_url(server.url(name))) as postgres, open_store(settings) as sqlite:
        for store in (postgres, sqlite):
            store.script(Statement("shop.schema", SCHEMA[store.dialect], writes=True))
        yield postgres, sqlite
    server.drop(name)


def all_findings(project: Project, stores: Stores) -> list[Finding]:
    return [*check_headers(project), *check_parity(project), *check_prepare(project, *stores).findings]


def test_right_trees_have_no_finding(tmp_path: Path, stores: Stores) -> None:
    assert all_findings(write_queries(tmp_path / "queries"), stores) == []


def test_our_own_trees_have_no_finding(postgres_url: str, tmp_path: Path) -> None:
    project = Project(
        queries=Path(str(resources.files("diglot.statestore.sql").joinpath("__init__.py"))).parent,
        migrations=Path(str(resources.files("diglot.statestore.migrations").joinpath("__init__.py"))).parent,
        models=TREES.row_models(),
    )
    settings = SQLiteSettings(path=str(tmp_path / "own.db"))
    with open_store(parse_url(postgres_url)) as postgres, open_store(settings) as sqlite:
        migrate(postgres, project.migrations)
        migrate(sqlite, project.migrations)
        assert all_findings(project, (postgres, sqlite)) == []
        assert check_prepare(project, postgres, sqlite).unknowns == []


P, S, BOTH = ("postgres",), ("sqlite",), ("postgres", "sqlite")
C, I = "customers", "invoices"  # noqa: E741
Mutation = tuple[str, tuple[str, ...], str, str, str, tuple[str, str, str]]
"""What changes, in which trees, in which file, from, to; where it is found (tree, text of the line, message)."""
MUTATIONS: list[Mutation] = [
    ("wrong column", P, C, "    email,\n    name", "    e_mail,\n    name", (P[0], "e_mail,", "refuses it: column")),
    (
        "wrong column",
        S,
        C,
        "    email,\n    name",
        "    e_mail,\n    name",
        (S[0], "e_mail,", "no such column: e_mail"),
    ),
    (
        "a name in double quotes that SQLite takes for a text",
        S,
        C,
        "where id = :id;\n\n-- name: list",
        'where "idd" = :id;\n\n-- name: list',
        (S[0], '"idd"', "no such column"),
    ),
    (
        "the same in a script",
        S,
        I,
        "delete from invoices;",
        "delete from invoices where \"idd\" = '1';",
        (S[0], '"idd"', "no such column"),
    ),
    ("wrong table", P, C, "email\nfrom customers", "email\nfrom clients", (P[0], "from clients", '"clients" does not')),
    ("wrong table", S, C, "email\nfrom customers", "email\nfrom clients", (S[0], "from clients", "no such table")),
    ("syntax", P, C, "select email\nfrom", "select email form", (P[0], "customers", "syntax error")),
    (
        "syntax",
        S,
        C,
        "where id = :id;\n\n-- name: list",
        "where where id = :id;\n\n-- name: list",
        (S[0], "where", "near"),
    ),
    (
        "swapped columns",
        P,
        C,
        "    email,\n    name,",
        "    name,\n    email,",
        (P[0], "    name,", "'name' is where"),
    ),
    (
        "swapped columns",
        S,
        C,
        "    email,\n    name,",
        "    name,\n    email,",
        (S[0], "    name,", "'name' is where"),
    ),
    (
        "swapped in returning",
        S,
        C,
        "returning id, email",
        "returning email, id",
        (S[0], "returning", "'email' is where"),
    ),
    (
        "swapped in returning",
        P,
        C,
        "returning id, email",
        "returning email, id",
        (P[0], "returning", "'email' is where"),
    ),
    (
        "column missing",
        S,
        C,
        "    created_at\nfrom",
        "    'x' as y\nfrom",
        (S[0], "'x' as y", "'y' is where Customer"),
    ),
    (
        "column too few",
        P,
        C,
        "    tags,\n    created_at\n",
        "    tags\n",
        (P[0], "-- returns: Customer", "are missing"),
    ),
    (
        "column too few",
        S,
        C,
        "    tags,\n    created_at\n",
        "    tags\n",
        (S[0], "-- returns: Customer", "are missing"),
    ),
    (
        "column too many",
        P,
        C,
        "    created_at\n",
        "    created_at,\n    1 as one\n",
        (P[0], "1 as one", "has no field in Customer"),
    ),
    (
        "column too many",
        S,
        C,
        "    created_at\n",
        "    created_at,\n    1 as one\n",
        (S[0], "1 as one", "has no field in Customer"),
    ),
    (
        "alias wrong",
        S,
        I,
        "invoice.id as invoice_id",
        "invoice.id as inv_id",
        (S[0], "as inv_id", "'inv_id' is where"),
    ),
    (
        "wrong type",
        P,
        C,
        "    rating,\n",
        "    name as rating,\n",
        (P[0], "name as rating", "is text, but Customer.rating"),
    ),
    (
        "wrong type",
        S,
        C,
        "    rating,\n",
        "    email as rating,\n",
        (S[0], "email as rating", "but Customer.rating is fl"),
    ),
    (
        "json for text",
        P,
        C,
        "    name,\n    a",
        "    tags as name,\n    a",
        (P[0], "tags as name", "is jsonb (json), but"),
    ),
    (
        "json for text",
        S,
        C,
        "    name,\n    a",
        "    tags as name,\n    a",
        (S[0], "tags as name", "is json, but Cust"),
    ),
    (
        "text for json",
        S,
        C,
        "    tags,\n",
        "    email as tags,\n",
        (S[0], "email as tags", "is text, but Customer.tags"),
    ),
    (
        "time for text",
        S,
        C,
        "    name,\n    a",
        "    created_at as name,\n    a",
        (S[0], "created_at as name", "is timest"),
    ),
    ("int for bool", P, C, "    active,\n", "    1 as active,\n", (P[0], "1 as active", "is integer (int), but")),
    (
        "numeric",
        P,
        I,
        "select max(total) as h",
        "select sum(total) as h",
        (P[0], "sum(total)", "numeric (decimal), but the result"),
    ),
    (
        "value of a wrong type",
        BOTH,
        I,
        "-- returns: int?",
        "-- returns: text?",
        (P[0], "max(total)", "but the result is text"),
    ),
    (
        "value of a wrong type",
        BOTH,
        C,
        "-- returns: text\n",
        "-- returns: int\n",
        (S[0], "select email", "result is int"),
    ),
    ("two for one", S, C, "select email\n", "select email, id\n", (S[0], "select email, id", "is one value")),
    ("two for one", P, C, "select email\n", "select email, id\n", (P[0], "select email, id", "is one value")),
    ("null from a column", S, C, "    email,\n", "    name as email,\n", (S[0], "name as email", "may be null")),
    ("null from a column", P, C, "    email,\n", "    name as email,\n", (P[0], "name as email", "may be null")),
    ("null from max()", BOTH, I, "-- returns: int?", "-- returns: int", (P[0], "max(total)", "may be null")),
    (
        "null from a case",
        S,
        I,
        "    customer.email,",
        "    case when 1 = 1 then customer.email end as email,",
        (S[0], "case when", "may be null, but Overview.email may not"),
    ),
    (
        "null from nullif",
        P,
        C,
        "select email\n",
        "select (select email limit 1) as email\n",
        (P[0], "(select", "may be null"),
    ),
    (
        "null on one side, but for a block",
        S,
        C,
        "-- Customers that fit every filter.\nselect id, email, name,",
        "-- Customers that fit every filter.\nselect id, email, coalesce(name, '') as name,",
        (S[0], "coalesce", "'name' is never null, in"),
    ),
    ("outer join turned", P, I, "left join", "right join", (P[0], "customer.id as customer_id", "may be null")),
    ("outer join turned", S, I, "left join", "right join", (S[0], "customer.email", "may be null")),
    (
        "outer join made inner",
        BOTH,
        I,
        "left join",
        "inner join",
        (P[0], "-- returns: Overview", "but the column never is"),
    ),
    ("outer join made inner", S, I, "left join", "inner join", (S[0], "invoice.id as invoice_id", "is never null, in")),
    (
        "needless ?",
        BOTH,
        C,
        "-- returns: text\n",
        "-- returns: text?\n",
        (P[0], "-- returns: text?", "the column never is"),
    ),
    (
        "parameter of a wrong type",
        BOTH,
        I,
        "param: now timestamp",
        "param: now text",
        (P[0], "param: now text", "in the SQL"),
    ),
    (
        "parameter of a wrong type",
        BOTH,
        I,
        "param: now timestamp",
        "param: now text",
        (S[0], "param: now text", "invoices.paid"),
    ),
    (
        "parameter compared",
        BOTH,
        C,
        "param: since timestamp?",
        "param: since int?",
        (P[0], "since int?", "timestamp with"),
    ),
    (
        "parameter compared",
        BOTH,
        C,
        "param: since timestamp?",
        "param: since int?",
        (S[0], "since int?", "created_at is tim"),
    ),
    ("limit of a wrong type", BOTH, C, "param: limit int", "param: limit text", (P[0], "limit text", "bigint")),
    (
        "limit of a wrong type",
        BOTH,
        C,
        "param: limit int",
        "param: limit text",
        (S[0], "limit text", "but limit is int"),
    ),
    (
        "list of a wrong type",
        BOTH,
        C,
        "param: ids text[]?",
        "param: ids int[]?",
        (P[0], "ids int[]?", "in the SQL text[]"),
    ),
    (
        "list of a wrong type",
        BOTH,
        C,
        "param: ids text[]?",
        "param: ids int[]?",
        (S[0], "ids int[]?", "but id is text"),
    ),
    (
        "int written as text",
        BOTH,
        I,
        "param: total int",
        "param: total text",
        (S[0], "total text", "invoices.total is"),
    ),
    (
        "null written",
        BOTH,
        C,
        "-- param: email text\n",
        "-- param: email text?\n",
        (P[0], "email text?", "takes no null"),
    ),
    (
        "null written",
        BOTH,
        C,
        "-- param: email text\n",
        "-- param: email text?\n",
        (S[0], "email text?", "takes no null"),
    ),
    (
        "null written without its block",
        S,
        C,
        "    /* if :email */ email = :email, /* end */\n    name = :name\n",
        "    /* if :name */ name = :name, /* end */\n    email = :email\n",
        (S[0], "param: email text?", "takes no null"),
    ),
    (
        "block breaks one combination",
        P,
        C,
        "    /* if :name */ and",
        "    /* if :name */",
        (P[0], "/* if :name */", "block of name"),
    ),
    (
        "block breaks one combination",
        S,
        C,
        "    /* if :name */ and",
        "    /* if :name */",
        (S[0], "/* if :name */", "block of name"),
    ),
    (
        "comma lost with the block",
        S,
        C,
        "email = :email, /* end */",
        "email = :email /* end */",
        (S[0], "name = :name", "block of email"),
    ),
    (
        "comma lost without it",
        P,
        C,
        "/* if :email */ email = :email, /* end */\n    name = :name",
        "name = :name\n    /* if :email */ , emaile = :email /* end */",
        (P[0], "emaile", "block of email"),
    ),
    (
        "answer thrown away",
        P,
        I,
        "where id = :id;",
        "where id = :id returning id;",
        (P[0], "-- name: pay", "discards them"),
    ),
    (
        "answer thrown away",
        S,
        I,
        "where id = :id;",
        "where id = :id returning id;",
        (S[0], "-- name: pay", "discards them"),
    ),
    (
        "no answer",
        P,
        C,
        "returning id, email, name, active, rating, photo, tags, created_at",
        "",
        (P[0], "-- returns: Cu", "no columns"),
    ),
    ("script", P, I, "delete from invoices;", "delete from invoice;", (P[0], "delete from invoice;", "does not exist")),
    ("script", S, I, "delete from invoices;", "delete from invoice;", (S[0], "delete from invoice;", "no such table")),
    ("dialects give other columns", S, I, "as how_many", "as how_much", (S[0], "as how_much", "is 'how_many' in")),
    # headers and parity
    (
        "parameter in one dialect only",
        S,
        I,
        "(id, now)!\n-- param: id text",
        "(id, now, x)!\n-- param: id text\n-- param: x int",
        (S[0], "-- name: pay", "declares"),
    ),
    (
        "parameter in one dialect only",
        S,
        I,
        "pay(id, now)!\n-- param: id text\n-- param: now timestamp\n-- Note that it was paid.\n"
        "update invoices\nset paid_at = :now\n",
        "pay(id, now, t)!\n-- param: id text\n-- param: now timestamp\n-- param: t int\n-- Note that it was paid.\n"
        "update invoices\n"
        "set paid_at = :now, total = :t\n",
        (S[0], "-- param: t int", "'t' is not declared in"),
    ),
    (
        "other type in one dialect",
        P,
        I,
        "-- param: total int",
        "-- param: total float",
        (S[0], "-- param: total int", "is int, in"),
    ),
    (
        "other order of parameters",
        S,
        I,
        "pay(id, now)!\n-- param: id text\n-- param: now timestamp",
        "pay(now, id)!\n-- param: now timestamp\n-- param: id text",
        (S[0], "-- name: pay", "another order"),
    ),
    ("other suffix", S, C, "emails()", "emails()^", (S[0], "-- name: emails", "suffix is ^")),
    (
        "other result",
        S,
        I,
        "-- returns: int?",
        "-- returns: float?",
        (S[0], "-- returns: float?", "returns float?, in"),
    ),
    (
        "block in one dialect only",
        S,
        C,
        "/* if :active */ and active = :active /* end */",
        "and (active = :active or 1 = 1)",
        (S[0], "-- name: list_customers", "conditional blocks depend on"),
    ),
    (
        "query in one dialect only",
        P,
        C,
        "-- name: emails()\n",
        "-- name: addresses()\n",
        (P[0], "-- name: addresses", "no such query"),
    ),
    (
        "query in one dialect only",
        P,
        C,
        "-- name: emails()\n",
        "-- name: addresses()\n",
        (S[0], "-- name: emails", "no such query"),
    ),
    (
        "wrong order of queries",
        S,
        I,
        "-- name: unpaid",
        "-- name: zz()$\n-- returns: int\n-- Z.\nselect 1;\n\n-- name: unpaid",
        (S[0], "-- name: zz", "no such"),
    ),
    ("missing doc", P, C, "-- All addresses.\n", "", (P[0], "-- name: emails", "no documentation")),
    ("unknown key", S, C, "-- idempotent:", "-- idempotant:", (S[0], "-- idempotant", "unknown header key")),
    (
        "unknown type",
        S,
        C,
        "-- param: active bool\n",
        "-- param: active boolean\n",
        (S[0], "active boolean", "unknown type"),
    ),
    (
        "unused parameter",
        P,
        C,
        "where id = :id;\n\n-- name: emails",
        "where id = '1';\n\n-- name: emails",
        (P[0], "-- name: rename", "does not use"),
    ),
    (
        "undeclared parameter",
        P,
        C,
        "where id = :id;\n\n-- name: emails",
        "where id = :key;\n\n-- name: emails",
        (P[0], "where id = :key", "not declared"),
    ),
    (
        "name twice",
        P,
        C,
        "-- name: emails()",
        "-- name: get_customer()",
        (P[0], "-- name: get_customer()", "is already at"),
    ),
    (
        "unknown model",
        P,
        I,
        "-- returns: Overview",
        "-- returns: Overviews",
        (P[0], "-- returns: Overviews", "neither a model"),
    ),
    ("stale only", S, I, "facts_sqlite", "facts_postgres", (S[0], "-- only: sqlite", "no longer applies")),
    (
        "only of the other tree",
        S,
        I,
        "-- only: sqlite",
        "-- only: postgres",
        (S[0], "-- only: postgres", "is in the sqlite"),
    ),
    (
        "only without because",
        S,
        I,
        "-- only: sqlite because",
        "-- only: sqlite",
        (S[0], "-- only: sqlite the", "because …"),
    ),
    ("stale differs", P, I, " where true", "", (P[0], "-- differs: a hint", "both dialects are the same")),
    (
        "differs on one side",
        S,
        I,
        "-- differs: no hint\n",
        "",
        (S[0], "-- name: how_many", "'differs:' is only on the postgres side"),
    ),
    (
        "stale idempotent",
        BOTH,
        C,
        "-- returns: text\n",
        "-- returns: text\n-- idempotent: yes\n",
        (P[0], "-- idempotent: yes", "a read may"),
    ),
    (
        "a string that does not end",
        S,
        C,
        "where id = :id;\n\n-- name: list",
        "where id = ':id;\n\n-- name: list",
        (S[0], "where id = ':id", "does not end"),
    ),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[f"{m[0]}, {'+'.join(m[1])}" for m in MUTATIONS])
def test_each_mutation_is_found_at_its_line(mutation: Mutation, tmp_path: Path, stores: Stores) -> None:
    _, trees, name, before, after, (tree, line, message) = mutation
    project = write_queries(tmp_path / "queries", [name])
    for each in trees:
        file = tmp_path / "queries" / each / f"{name}.sql"
        text = file.read_text("utf-8")
        assert before in text
        file.write_text(text.replace(before, after, 1), "utf-8")
    found = all_findings(project, stores)
    file = tmp_path / "queries" / tree / f"{name}.sql"
    lines = file.read_text("utf-8").splitlines()
    here = [f for f in found if Path(f.path) == file and line in lines[f.line - 1] and message in f.message]
    assert here, "\n".join(f"{f.place}: {f.check}: {f.message}" for f in found)
    assert all(1 <= f.column <= len(lines[f.line - 1]) for f in here)


def test_a_query_at_another_place_than_on_the_facing_page_is_found(tmp_path: Path, stores: Stores) -> None:
    project = write_queries(tmp_path / "queries")
    file = tmp_path / "queries" / "sqlite" / "customers.sql"
    text = file.read_text("utf-8")
    emails = text[text.index("-- name: emails") :]
    file.write_text(text.replace(emails, "").replace("-- name: rename", f"{emails}\n-- name: rename"), "utf-8")
    (finding,) = all_findings(project, stores)
    assert file.read_text("utf-8").splitlines()[finding.line - 1].startswith("-- name: emails")
    assert "it is in another position than in" in finding.message
    assert finding.message.endswith("there it is after 'rename'")


def test_every_problem_of_every_file_is_told_at_once(tmp_path: Path, stores: Stores) -> None:
    project = write_queries(tmp_path / "queries")
    expected = set()
    for number, mutation in enumerate(m for m in MUTATIONS if m[0] in ("wrong column", "missing doc", "script")):
        _, (tree,), name, before, after, _ = mutation
        file = tmp_path / "queries" / tree / f"{name}.sql"
        file.write_text(file.read_text("utf-8").replace(before, after, 1), "utf-8")
        expected.add((tree, name, number))
    assert len(all_findings(project, stores)) == len(expected)


def test_one_store_alone_is_checked_without_the_other(tmp_path: Path, stores: Stores) -> None:
    project = write_queries(tmp_path / "queries")
    file = tmp_path / "queries" / "sqlite" / "customers.sql"
    file.write_text(file.read_text("utf-8").replace("    email,\n    name", "    e_mail,\n    name"), "utf-8")
    assert [f.path for f in check_prepare(project, None, stores[1]).findings] == [str(file)]
    assert check_prepare(project, stores[0], None).findings == []


def test_nothing_is_left_in_the_databases(tmp_path: Path, stores: Stores) -> None:
    for store in stores:
        store.count(
            Statement(
                "t",
                "insert into customers values ('1', 'e', null, "
                + ("true" if store.dialect == "postgres" else "1")
                + ", null, null, null, '2026-01-31T09:05:07.000123Z')",
                writes=True,
            )
        )
    try:
        check_prepare(write_queries(tmp_path / "queries"), *stores)
        assert [store.rows(Statement("t", "select count(*) from customers")) for store in stores] == [[(1,)], [(1,)]]
    finally:
        for store in stores:
            store.count(Statement("t", "delete from customers", writes=True))


def test_models_that_are_not_known_leave_the_comparison_of_the_dialects(tmp_path: Path, stores: Stores) -> None:
    write_queries(tmp_path / "queries")
    project = Project(queries=tmp_path / "queries")
    assert check_prepare(project, *stores).findings == []
    file = tmp_path / "queries" / "sqlite" / "invoices.sql"
    file.write_text(file.read_text("utf-8").replace("left join", "inner join"), "utf-8")
    assert {f.message.partition(" in ")[0] for f in check_prepare(project, *stores).findings} == {
        "column 'invoice_id' is never null,",
        "column 'total' is never null,",
    }
