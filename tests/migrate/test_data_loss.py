"""What rolling back would lose is said before it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from diglot.migrate.loss import Dropped, dropped
from diglot.migrate.statements import split
from diglot.sql.session import Statement
from diglot.stores.store import Store
from tests.migrate.trees import A, B, C, migrator, write


def test_tables_with_rows_and_columns_with_values_are_named(store: Store, tmp_path: Path) -> None:
    write(tmp_path, A, up="create table a (id integer, extra text);", down="drop table if exists a;\ndrop table gone;")
    write(tmp_path, B, up="alter table a add column b text;", down="alter table a drop column b;")
    write(tmp_path, C)
    runner = migrator(store, tmp_path)
    runner.up()
    plan = runner.down(3, dry_run=True)
    assert [runner.data_loss(migration) for migration in plan] == [[], [], []]
    store.count(Statement("test.a", "insert into a (id) values (1)", writes=True))
    assert [runner.data_loss(migration) for migration in plan] == [[], [], ["table a: it has rows"]]
    store.count(Statement("test.b", "update a set b = 'x'", writes=True))
    assert [runner.data_loss(migration) for migration in plan] == [
        [],
        ["column a.b: it has values"],
        ["table a: it has rows"],
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("drop table a", [Dropped("a")]),
        ("DROP TABLE IF EXISTS A, s.b CASCADE", [Dropped("a"), Dropped("b")]),
        ('drop table "Odd ""name"', [Dropped('Odd "name')]),
        ("alter table only a drop column b", [Dropped("a", "b")]),
        (
            "alter table if exists s.a drop column if exists b, drop c, add d int",
            [Dropped("a", "b"), Dropped("a", "c")],
        ),
        ("alter table a drop constraint c, alter column b drop not null, alter d drop default", []),
        ('alter table a rename to "drop"', []),
        ("truncate table a, b", [Dropped("a"), Dropped("b")]),
        ("delete from a where id = 1", [Dropped("a")]),
        ("drop index i; create table a (drop_b int)", []),
        ("drop table a; drop table a", [Dropped("a")]),
    ],
)
def test_what_a_statement_drops_is_read_from_it(text: str, found: list[Dropped]) -> None:
    assert dropped(split(text, "f")) == found
