"""Migrations: what is not paired, can't be undone, was edited or is not safe is found, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from diglot.check.migrations import CHECKSUMS, check_checksums, check_migrations, write_checksums
from diglot.check.unsafe import dangers, unsafe
from diglot.migrate.statements import split
from diglot.project import Project
from diglot.sql.scanner import Kind, scan
from diglot.sql.session import Dialect
from diglot.statestore import project as state_store
from diglot.stores import open_store
from diglot.stores.url import parse_url
from tests.sql.test_statements import Counted

Tree = Callable[[dict[str, str]], Project]

# What each statement does to a table that was there before; "" is safe. PostgreSQL, then SQLite where it is another.
STATEMENTS = [
    ("drop table t", "drops the table t", None),
    ("drop table if exists a.t, u cascade", "drops the table t, u", None),
    ("drop schema old cascade", "drops the schema old", None),
    ("drop view v", "", None),
    ("drop view v cascade", "by 'cascade'", None),
    ("drop type mood", "", None),
    ("truncate t", "deletes rows of t", None),
    ("delete from t where x = 1", "deletes rows of t", None),
    ("update t set x = 1", "changes every row of t", None),
    ("update t set x = 1 where x is null", "", None),
    ("insert into t values (1)", "", None),
    ("alter table t drop column x", "drops the column t.x", None),
    ("alter table t drop x", "drops the column t.x", None),
    ("alter table only public.t drop column if exists x, drop column y", "drops the column t.x", None),
    ("alter table t drop constraint ck_t", "", None),
    ("alter table t alter column x drop not null", "", None),
    ("alter table t alter column x drop default", "", None),
    ("alter table t rename to u", "renames t", None),
    ("alter table t rename column x to y", "renames a column of t", None),
    ("alter table t rename x to y", "renames a column of t", None),
    ("alter table t rename constraint a to b", "", None),
    ("alter index i rename to j", "renames a index", None),
    ("alter table t add column x int", "", None),
    ("alter table t add column x int not null", "'not null' without a default", None),
    ("alter table t add x int not null", "'not null' without a default", None),
    ("alter table t add column x int not null default 0", "", None),
    ("alter table t add column x timestamptz default now()", "", None),
    ("alter table t add column x numeric(10, 2) default cast(1 as numeric(10, 2))", "", None),
    ("alter table t add column x uuid default gen_random_uuid()", "a value of its own for each row", ""),
    ("alter table t add column x bigserial", "a value of its own for each row", ""),
    ("alter table t add column x int generated always as (y + 1) stored", "a value of its own for each row", ""),
    ("alter table t add column x int check (x > 0)", "with a check", ""),
    ("alter table t add column x int references u (id)", "with a foreign key", ""),
    ("alter table t add column x int unique", "with a unique constraint", ""),
    ("alter table t add constraint fk foreign key (x) references u (id)", "adds a foreign key to t", ""),
    ("alter table t add constraint fk foreign key (x) references u (id) not valid", "", None),
    ("alter table t validate constraint fk", "", None),
    ("alter table t add constraint ck check (x > 0)", "adds a check to t", ""),
    ("alter table t add check (x > 0) not valid", "", None),
    ("alter table t add constraint uq unique (x)", "without 'using index'", ""),
    ("alter table t add constraint uq unique using index ix", "", None),
    ("alter table t alter column x type bigint", "changes the type of t.x", None),
    ("alter table t alter x set data type bigint", "changes the type of t.x", None),
    ("alter table t alter column x set not null", "makes t.x 'not null'", None),
    ("alter table t alter column x set default 1", "", None),
    ("alter table t set unlogged", "rewrites the whole table t", None),
    ("alter table t set schema app", "moves t", None),
    ("alter table t add column a int, add column b int not null", "adds the column t.b as 'not null'", None),
    ("create index i on t (x)", "without 'concurrently'", ""),
    ("create unique index if not exists i on only app.t (x)", "an index on t without 'concurrently'", ""),
    ("create index concurrently i on t (x)", "", None),
    ("drop index i", "drops an index without 'concurrently'", ""),
    ("drop index concurrently if exists i", "", None),
    ("reindex table t", "makes an index again", ""),
    ("refresh materialized view v", "fills a materialized view", ""),
    ("refresh materialized view concurrently v", "", None),
    ("lock table t", "locks a table", ""),
    ("vacuum full t", "locks a table", ""),
    ("create table u (id int)", "", None),
    ("create table u (id int); create index i on u (id); alter table u add column y int not null", "", None),
    ("create table u (id int); drop table u", "", None),
    ("create table n (id int); alter table n rename to u; create index i on u (id)", "", None),
    ('create table "Odd" (id int); create index i on "Odd" (id)', "", None),
    ("create table u (id int); create index i on t (x)", "an index on t", ""),
    ("create function f() returns int language sql as 'select 1'", "", None),
    # statements inside of statements
    ("with x as (select 1) delete from t where id in (select * from x)", "deletes rows of t", None),
    ("with x as (delete from t returning id) insert into u select id from x", "deletes rows of t", None),
    ("with x as materialized (update t set a = 1 returning id) select * from x", "changes every row of t", None),
    ("with recursive x as (select 1 as n) search depth first by n set o delete from t", "deletes rows of t", None),
    ("with x as (select 1) select * from x for update", "", None),
    ("insert into t (id) values (1) on conflict (id) do update set a = 1", "", None),
    ("insert into t (id) select id from u where a = 1 for no key update", "", None),
    ('select "delete" from t', "", None),
    ('select ("update") from t', "", None),
    ("explain delete from t", "", None),
    ("explain (analyze) delete from t", "deletes rows of t", None),
    ("prepare x as delete from t", "deletes rows of t", None),
    ("merge into t using u on u.id = t.id when matched and u.x then delete", "deletes rows of t", None),
    ("merge into only a.t as x using u on u.id = x.id when not matched by source then delete", "rows of t", None),
    ("merge into t using u on u.id = t.id when matched then update set a = 1", "", None),
    ("replace into t (id) values (1)", "replaces rows of t", None),
    ("insert or replace into t (id) values (1)", "replaces rows of t", None),
    ("insert or ignore into t (id) values (1)", "", None),
    ("update or replace t set id = 1 where id = 2", "replaces rows of t", None),
    ("update t set a = (select u.a from u where u.id = t.id)", "changes every row of t", None),
    ("update t set a = 1 where exists (select 1 from u)", "", None),
    ("update t set a = 1 where true", "changes every row of t", None),
    ("update t set a = 1 where 1 = 1 returning id", "changes every row of t", None),
    ("truncate t, u", "deletes rows of t, u", None),
    ("create rule r as on delete to t do also (delete from u)", "", None),
    ("create policy p on t for delete using (true)", "", None),
    ("grant delete on t to u", "", None),
    # tables that may not be new
    ("create table if not exists t (id int); drop table t", "drops the table t", None),
    ("create table if not exists t (id int); delete from t", "deletes rows of t", None),
    ("create table if not exists t (id int); update t set a = 1", "changes every row of t", None),
    ("create table if not exists t (id int); alter table t drop column a", "drops the column t.a", None),
    ("create table if not exists t (id int); create index i on t (id)", "", None),
    ("create table if not exists t (id int); alter table t rename to u; drop table u", "drops the table u", None),
    ("create table n (id int); drop table n; create table if not exists n (id int); delete from n", "", None),
    ("create table n (id int); drop table n; delete from n", "deletes rows of n", None),
    ("create table n (id int); alter table n rename to u; delete from n", "deletes rows of n", None),
    ("create table a.n (id int); delete from b.n", "deletes rows of n", None),
    ("create table a.n (id int); delete from a.n; drop table a.n", "", None),
    ("create temp table n (id int); delete from n", "", None),
    ("create temp table n (id int); drop table n; drop table n", "drops the table n", None),
    ("create table n as select 1 as id; delete from n", "", None),
    # quoted names
    ('drop table "if"', "drops the table if", None),
    ('alter table t drop column "default"', "drops the column t.default", None),
    ('alter table t drop "constraint"', "drops the column t.constraint", None),
    ('alter table "a,b" drop column x', "drops the column a,b.x", None),
    ('create table "N" (id int); delete from n', "deletes rows of n", ""),
    ("create table n (id int); delete from N", "", None),
    ("vacuum (full, analyze) t", "locks a table", ""),
]
ON_SQLITE = [
    ("create trigger x after delete on t begin delete from u; end", ""),
    ("create table [n] (id int); drop table [t]", "drops the table t"),
    ("create table [n] (id int); drop table N; create table `n` (id int); delete from 'n'", ""),
    ("create table 'n' (id int); drop table 't'", "drops the table t"),
    ("create table main.n (id int); delete from n", ""),
    ("create temp table t (id int); delete from main.t", "deletes rows of t"),
]
ON_POSTGRES = [
    ("alter domain d add constraint ck check (value > 1)", "adds a constraint to a domain"),
    ("alter domain d add check (value > 1)", "adds a constraint to a domain"),
    ("alter domain d set not null", "adds a constraint to a domain"),
    ("alter domain d add constraint ck check (value > 1) not valid", ""),
    ("alter domain d drop constraint ck", ""),
    ("alter type c drop attribute a", "drops an attribute"),
    ("alter type c add attribute a int", ""),
    ("drop sequence s", "drops a sequence"),
    ("alter table t detach partition p", "detaches a partition of t"),
    ("alter table t detach partition p concurrently", ""),
    ("call p()", "calls a procedure"),
    (f"create table {'n' * 64} (id int)", "of which PostgreSQL keeps only the first 63 bytes"),
    (f'create table "{"ü" * 32}" (id int)', "of which PostgreSQL keeps only the first 63 bytes"),
    (f"create table {'n' * 63} (id int); insert into {'n' * 63} values ('{'n' * 64}')", ""),
    ("do $$ begin delete from t; end $$", "a block of code"),
    ("copy (delete from t returning id) to '/tmp/x'", "deletes rows of t"),
    ("create table public.n (id int); delete from n", ""),
    ("create temporary table t (id int); delete from public.t", "deletes rows of t"),
]
CASES = [
    (dialect, sql, postgres if dialect == "postgres" or sqlite is None else sqlite)
    for sql, postgres, sqlite in STATEMENTS
    for dialect in ("postgres", "sqlite")
]
CASES += [("sqlite", sql, said) for sql, said in ON_SQLITE] + [("postgres", sql, said) for sql, said in ON_POSTGRES]


@pytest.mark.parametrize(("dialect", "sql", "said"), CASES, ids=[f"{dialect}: {sql}" for dialect, sql, _ in CASES])
def test_statement(dialect: Dialect, sql: str, said: str) -> None:
    found = [message for _, message in dangers(split(sql, "x.sql", dialect), dialect)]
    assert bool(found) == bool(said), found
    assert said in " ".join(found)


@pytest.mark.parametrize(("dialect", "sql", "said"), CASES, ids=[f"{dialect}: {sql}" for dialect, sql, _ in CASES])
def test_upper_case_comments_and_line_breaks_change_nothing(dialect: Dialect, sql: str, said: str) -> None:
    respelt = "".join(
        token.text.upper().replace(" ", " /* delete from t; */\n-- drop table u;\n")
        if token.kind is Kind.CODE
        else token.text
        for token in scan(sql, dialect=dialect)
    )
    assert [*dangers(split(respelt, "x.sql", dialect), dialect)] == [*dangers(split(sql, "x.sql", dialect), dialect)]


def test_four_times_the_statements_are_four_times_the_work() -> None:
    def work(times: int) -> int:
        text = Counted("-- safe: nobody uses it\ndrop table t;\nupdate t set a = 1;\n" * times)
        assert len(list(unsafe(text, split(text, "x.sql", "sqlite"), "sqlite"))) == times
        return text.looked_at

    assert work(400) < 4.2 * work(100)


REASONS = [
    ("above its statement", "create view v as select 1;\n\n-- safe: nobody uses it\ndrop table t;", []),
    ("behind it", "drop table t; -- safe: nobody uses it\ncreate view v as select 1;", []),
    ("inside it", "alter table t\n-- safe: nobody uses it\ndrop column x;", []),
    ("of the whole file", "-- safe: first release\n\ndrop table t;\n\ndrop table u;", []),
    ("of the first statement alone", "-- safe: nobody uses t\ndrop table t;\n\ndrop table u;",
     [(4, "drops the table u")]),
    ("none", "drop table t;\n  drop table u;", [(1, "drops the table t"), (2, "drops the table u")]),
    ("in a string", "insert into x values ('-- safe: no');\ndrop table t;", [(2, "drops the table t")]),
    ("not needed", "-- safe: nobody uses it\ncreate view v as select 1;", [(1, "is not needed")]),
    ("empty", "-- safe:\ndrop table t;", [(2, "drops the table t"), (1, "'safe:' has no reason")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [r[1:] for r in REASONS], ids=[r[0] for r in REASONS])
def test_reason(text: str, expected: list[tuple[int, str]]) -> None:
    found = [(one.line, one.message) for one in unsafe(text, split(text, "x.sql"), "postgres")]
    assert len(found) == len(expected), found
    assert all(line == wanted[0] and wanted[1] in said for (line, said), wanted in zip(found, expected, strict=True))


def test_a_finding_stands_at_the_first_word_of_its_statement() -> None:
    text = "create view v as select 1;\n  -- it goes\n  drop table t;"
    (one,) = unsafe(text, split(text, "x.sql"), "sqlite")
    assert (one.line, one.column) == (3, 3)


# --- whole trees -------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.chdir(tmp_path)

    def make(files: dict[str, str]) -> Project:
        for name, text in files.items():
            for dialect in ("postgres", "sqlite"):
                own = tmp_path / "migrations" / (name if "/" in name else f"{dialect}/{name}")
                own.parent.mkdir(parents=True, exist_ok=True)
                own.write_text(text)
        return Project(migrations=tmp_path / "migrations")

    return make


def on_sqlite(project: Project) -> list[str]:
    with open_store(parse_url(":memory:")) as store:
        return [f"{one.place}: {one.name}: {one.message}" for one in check_migrations(project, None, store)]


FIRST = {"1_a.up.sql": "create table a (x int);", "1_a.down.sql": "drop table a;"}
SECOND = {"2_b.up.sql": "alter table a add column y int;", "2_b.down.sql": "alter table a drop column y;"}
TREES = [
    ("right", {**FIRST, **SECOND}, []),
    ("yoyo's form", {"1_a.sql": "create table a (x int);", "1_a.rollback.sql": "drop table a;"}, []),
    ("plain, without ways back", {"1_a.sql": "create table a (x int);", "2_b.sql": "alter table a add y int;"}, []),
    ("no way back", {**FIRST, "2_b.up.sql": "create table b (x int);"},
     ["sqlite/2_b.up.sql:1:1: 2_b: it has no down migration: write 2_b.down.sql"]),
    ("way back alone", {**FIRST, "2_b.down.sql": "drop table b;"},
     ["sqlite/2_b.down.sql:1:1: ", "down migration without an up migration: 2_b.up.sql is missing"]),
    ("empty", {**FIRST, "2_b.up.sql": "-- later", "2_b.down.sql": "-- later"},
     ["2_b.up.sql:1:1: 2_b: it contains no statement"]),
    ("a file that is not run", {**FIRST, "2_b.sql": "create table b (x int);"},
     ["sqlite/2_b.sql:1:1: ", "it would not be run: name it NAME.up.sql or NAME.down.sql"]),
    ("in one alone", {**FIRST, "sqlite/2_b.up.sql": "create table b (x int)",
                      "sqlite/2_b.down.sql": "drop table b"},
     ["sqlite/2_b.up.sql:1:1: 2_b: only sqlite has this migration"]),
    ("same number", {**FIRST, "1_b.up.sql": "create table b (x int);", "1_b.down.sql": "drop table b;"},
     ["1_b.up.sql:1:1: 1_b: 1_a already has the number 1"]),
    ("leaves a table", {"1_a.up.sql": "create table a (x int); create table b (y int);",
                        "1_a.down.sql": "drop table a;"},
     ["1_a.down.sql:1:1: 1_a: rolling back does not restore the schema: table b is there"]),
    ("leaves an index away", {**FIRST, "2_b.up.sql": "create index i on a (x);", "2_b.down.sql": "select 1;"},
     ["2_b.down.sql:1:1: 2_b: ", "index i is there"]),
    ("another type back", {"1_a.up.sql": "create table a (x int, y int);", "1_a.down.sql": "drop table a;",
                           "2_b.up.sql": "-- safe: no rows\nalter table a drop column x;",
                           "2_b.down.sql": "alter table a add column x text;"}, ["column a.x is another"]),
    ("does not run", {"1_a.up.sql": "create table a (x int);\ncreate tabel b (x int);",
                      "1_a.down.sql": "drop table a;"},
     ['1_a.up.sql:2:1: 1_a: near "tabel"']),
    ("its way back does not run", {"1_a.up.sql": "create table a (x int);", "1_a.down.sql": "\ndrop table b;"},
     ["1_a.down.sql:2:1: 1_a: no such table: b"]),
    ("can't be cut", {"1_a.up.sql": "create table a (x text default 'a);", "1_a.down.sql": "drop table a;"},
     ["1_a.up.sql:1:32: 1_a: this string does not end"]),
    ("a carriage return that hides a statement",
     {"1_a.up.sql": "-- old\rcreate table b (x int);\ncreate table a (x int);", "1_a.down.sql": "drop table a;"},
     ["1_a.up.sql:1:7: 1_a: a carriage return in a comment"]),
    ("SQLite keeps a comment in a comment", {"1_a.up.sql": "create table a (x int /* /* */);",
                                             "1_a.down.sql": "drop table a;"}, []),
    ("both ways in one file", {"1_a.sql": "-- +goose Up\ncreate table a (x int);\n-- +goose Down\ndrop table a;"},
     ["1_a.sql:1:1: 1_a.sql: '+goose Up': files with both directions are not supported"]),
    ("depends on nothing", {"1_a.sql": "-- depends: 0_x\ncreate table a (x int);", "1_a.rollback.sql": "drop table a;"},
     ["1_a.sql:1:1: 1_a: depends on '0_x'"]),
    ("the runner's own rules", {"20250101000000_a.sql": "create table a (x int);", "20250101000000_a.rollback.sql": ""},
     ["20250101000000_a.rollback.sql:1:1: ", "empty: undo the migration"]),
    ("not safe", {**FIRST, "2_b.up.sql": "drop table a;", "2_b.down.sql": "create table a (x int);"},
     ["2_b.up.sql:1:1: 2_b: it drops the table a"]),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), [case[1:] for case in TREES], ids=[case[0] for case in TREES])
def test_tree(files: dict[str, str], expected: list[str], tree: Tree) -> None:
    found = [one for one in on_sqlite(tree(files)) if not one.startswith("migrations/postgres")]
    assert bool(found) == bool(expected), found
    assert all(any(each in one for one in found) for each in expected), found


def test_postgres_undoes_everything_that_it_made(tree: Tree, postgres_url: str) -> None:
    up = """
    create type mood as enum ('good', 'bad');
    create table a (id bigint generated always as identity primary key, m mood, n numeric(10, 2) default 1);
    create function f() returns int language sql as $$ select 1; $$;
    create view v as select id from a;
    create sequence s;
    """
    down = "drop sequence s; drop view v; drop function f(); drop table a; drop type mood;"
    second = "-- safe: small\ncreate index i on a (m);\nalter table a add constraint ck check (n > 0) not valid;"
    project = tree(
        {
            "1_a.up.sql": up,
            "1_a.down.sql": down,
            "2_b.up.sql": second,
            "2_b.down.sql": "drop index i; alter table a drop constraint ck;",
        }
    )
    with open_store(parse_url(postgres_url)) as store:
        assert check_migrations(project, store, None) == []


LEFT_BEHIND = [
    ("drop sequence s;", "sequence s is there"),
    ("drop view v;", "view v is there"),
    ("drop function f();", "function public.f() is there"),
    ("drop type mood;", "type mood is there"),
]


@pytest.mark.parametrize(("kept", "said"), LEFT_BEHIND)
def test_postgres_names_what_a_way_back_leaves(kept: str, said: str, tree: Tree, postgres_url: str) -> None:
    up = "create type mood as enum ('good'); create function f() returns int language sql as 'select 1'; "
    up += "create view v as select 1 as x; create sequence s;"
    down = "drop sequence s; drop view v; drop function f(); drop type mood;".replace(kept, "")
    with open_store(parse_url(postgres_url)) as store:
        found = check_migrations(tree({"1_a.up.sql": up, "1_a.down.sql": down}), store, None)
    assert [one.message.partition("schema: ")[2] for one in found] == [said]


def test_a_second_up_that_gives_another_schema_is_found(tree: Tree, postgres_url: str) -> None:
    project = tree(
        {
            "1_a.sql": "create table a (x int);",
            "1_a.rollback.sql": "drop table a;",
            "2_b.sql": "-- safe: no rows\nalter table a add check (x > 0);",
            "2_b.rollback.sql": "-- rollback: nothing because a check does no harm\n",
        }
    )
    with open_store(parse_url(postgres_url)) as store:
        (found,) = check_migrations(project, store, None)
    assert found.path == "migrations/postgres/2_b.sql"
    assert found.message.endswith("differs from that after the first up: constraint a.a_x_check1 is there")


def test_our_own_are_right_on_sqlite() -> None:
    assert on_sqlite(Project(migrations=state_store.TREES.migrations)) == []


# --- checksums ---------------------------------------------------------------------------------------------


def test_what_is_not_as_it_was_written_down_is_found(tree: Tree) -> None:
    project = tree({**FIRST, **SECOND})
    assert list(check_checksums(project)) == []  # nothing is written down
    folder = write_checksums(project).parent
    assert list(check_checksums(project)) == []
    (folder / "sqlite" / "1_a.up.sql").write_bytes(b"create table a (x int);\r\n")
    (folder / "postgres" / "2_b.up.sql").unlink()
    (folder / "postgres" / "3_c.up.sql").write_text("create table c (x int);")
    found = [(one.path, one.line, one.message.partition(":")[0]) for one in check_checksums(project)]
    assert found == [
        (f"migrations/{CHECKSUMS}", 4, "postgres/2_b.up.sql is missing, but databases may have it"),
        ("migrations/sqlite/1_a.up.sql", 1, "edited after it was recorded, but databases may have the old version"),
        ("migrations/postgres/3_c.up.sql", 1, f"not in {CHECKSUMS} yet"),
    ]
    write_checksums(project)
    assert list(check_checksums(project)) == []


def test_line_ends_of_a_checkout_are_no_edit(tree: Tree) -> None:
    project = tree({"1_a.up.sql": "create table a (\n x int\n);\n", "1_a.down.sql": "drop table a;\n"})
    folder = write_checksums(project).parent
    (folder / "sqlite" / "1_a.up.sql").write_bytes(b"create table a (\r\n x int\r\n);\r\n")
    assert list(check_checksums(project)) == []


def test_a_line_that_is_none_is_told(tree: Tree) -> None:
    project = tree(FIRST)
    book = write_checksums(project)
    book.write_text("what\n" + book.read_text())
    assert [(one.line, one.column) for one in check_checksums(project)] == [(1, 1)]
