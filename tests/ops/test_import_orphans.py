"""Foreign keys are checked when all rows of an import are there; then the row of the file that breaks one is named."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from diglot.errors import ConfigurationError, ForeignKeyViolation, RowRefused
from diglot.ops.export import export
from diglot.ops.import_file import import_file
from diglot.project import Project
from diglot.stores.url import parse_url
from tests.ops.awkward import fill, rows_of
from tests.ops.test_export import NOW, Urls, lines_of, run

SCHEMA = """\
create table parents (id text {c} not null primary key);
create table children (
    id text {c} not null primary key,
    parent_id text {c},
    older_id text {c},
    constraint fk_children_parent_id foreign key (parent_id) references parents (id),
    constraint fk_children_older_id foreign key (older_id) references children (id),
    constraint ck_children_id check (id <> 'bad')
);
"""


@pytest.fixture
def family(tmp_path: Path) -> Project:
    for dialect, collation in (("postgres", 'collate "C"'), ("sqlite", "")):
        tree = tmp_path / "family" / "migrations" / dialect
        tree.mkdir(parents=True)
        (tree / "20260101000000_first.sql").write_text(SCHEMA.format(c=collation))
        (tree / "20260101000000_first.rollback.sql").write_text("drop table children;\ndrop table parents;\n")
    (tmp_path / "family" / "diglot.toml").write_text('[project]\nmigrations = "migrations"\n')
    return Project.find(tmp_path / "family" / "diglot.toml")


@pytest.fixture
def file(family: Project, urls: Urls, tmp_path: Path) -> Path:
    """Children without the parent p2: c2 refers to it, c3 to c2, and c4 to c3."""
    with family.open(urls[0]):
        pass
    run(urls[0], "insert into parents values ('p1'), ('p2')")
    run(urls[0], "insert into children values ('c1', 'p1', null), ('c2', 'p2', 'c1'), ('c3', 'p1', 'c2')")
    run(urls[0], "insert into children values ('c4', null, 'c3'), ('c5', null, null)")
    path = tmp_path / "children.jsonl"
    export(parse_url(urls[0]), path, NOW, tables=["children"])
    with family.open(urls[1]):
        pass
    run(urls[1], "insert into parents values ('p1')")
    return path


def test_names_the_line_of_an_orphan_and_stores_nothing(family: Project, urls: Urls, file: Path) -> None:
    problem = r"children\.jsonl:(\d+): children \(parent_id\) refers to a missing row of parents$"
    with pytest.raises(RowRefused, match=problem) as refused:
        import_file(family, file, parse_url(urls[1]))
    number = int(str(refused.value).split(":")[1])
    assert json.loads(lines_of(file)[number - 1])["row"]["id"] == "c2"
    assert rows_of(urls[1], "select count(*) from children") == [(0,)]
    with pytest.raises(Exception, match=r"refers to one that does not exist"):
        run(urls[1], "insert into children values ('c9', 'p9', null)")


def test_sets_orphans_and_those_that_refer_to_them_aside(family: Project, urls: Urls, file: Path) -> None:
    aside = file.with_name("aside.jsonl")
    done = import_file(family, file, parse_url(urls[1]), skip_bad=aside)
    assert (done.rows, done.changed, done.skipped) == (5, 2, 3)
    assert rows_of(urls[1], "select id from children order by id") == [("c1",), ("c5",)]
    lines = [json.loads(line) for line in lines_of(aside)]
    assert sorted(line["row"]["id"] for line in lines) == ["c2", "c3", "c4"]
    assert aside.stat().st_mode & 0o777 == 0o600
    run(urls[1], "insert into parents values ('p2')")
    assert import_file(family, file, parse_url(urls[1])).changed == 3


def test_an_orphan_of_a_pipe_is_named_by_its_key(
    family: Project, urls: Urls, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with file.open("rb") as stream:
        monkeypatch.setattr("sys.stdin", type("Input", (), {"buffer": stream}))
        with pytest.raises(RowRefused, match=r"^-: children \(parent_id\) refers .*: id='c2'$"):
            import_file(family, Path("-"), parse_url(urls[1]))
    assert rows_of(urls[1], "select count(*) from children") == [(0,)]


def test_a_file_of_rows_set_aside_is_not_replaced(family: Project, urls: Urls, file: Path) -> None:
    with pytest.raises(ConfigurationError, match="already exists"):
        import_file(family, file, parse_url(urls[1]), skip_bad=file)


@pytest.mark.sqlite
def test_an_orphan_that_was_there_before_is_not_blamed_on_the_file(family: Project, tmp_path: Path) -> None:
    """Only SQLite can have one: from a time when its foreign_keys was off."""
    url, file = f"sqlite:///{tmp_path}/t.db", tmp_path / "children.jsonl"
    with family.open(url):
        pass
    run(url, "insert into children values ('c1', null, null)")
    export(parse_url(url), file, NOW)
    connection = sqlite3.connect(tmp_path / "t.db")
    connection.execute("insert into children values ('c8', 'p8', null)")
    connection.commit()
    connection.close()
    for skip_bad in (None, tmp_path / "aside"):
        with pytest.raises(ForeignKeyViolation, match="it was there before this import: see 'diglot doctor'"):
            import_file(family, file, parse_url(url), skip_bad=skip_bad)
    assert not (tmp_path / "aside").exists()


def test_many_rows_with_indexes_put_aside(
    project: Project, urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unique index stays, so that it refuses the row itself, and the others come back."""
    monkeypatch.setattr("diglot.ops.import_file.LARGE", 1)
    fill(urls[0], project)
    file = tmp_path / "app.jsonl"
    export(parse_url(urls[0]), file, NOW)
    with project.open(urls[1]):
        pass
    code = "0195c2a0-7000-7000-8000-0123456789ab"
    run(urls[1], f"insert into values_of_all_types (id, code) values (500, '{code}')")
    with pytest.raises(RowRefused, match=r"app\.jsonl:\d+: a row with this key exists already"):
        import_file(project, file, parse_url(urls[1]))
    run(urls[1], "delete from values_of_all_types")
    import_file(project, file, parse_url(urls[1]))
    names = (
        "select indexname from pg_indexes where schemaname = current_schema() order by 1"
        if urls[1].startswith("postgres")
        else "select name from sqlite_schema where type = 'index' order by 1"
    )
    found = {name for (name,) in rows_of(urls[1], names)}
    assert {"ix_values_of_all_types_whole", "uq_values_of_all_types_code"} <= found
