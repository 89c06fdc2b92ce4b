"""A folder of query files becomes objects, in a fixed order; what is not right in a file is named with its place."""

import shutil
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from diglot.errors import ConfigurationError, QueryFileError
from diglot.sql.loader import load_queries, load_text
from diglot.sql.session import DIALECTS
from diglot.statestore.database import packaged_queries
from diglot.statestore.project import TREES


class Thing(msgspec.Struct):
    id: int


A = """\
-- Things.

-- name: get_thing(id)^
-- param: id int
-- returns: Thing
-- One thing.
select id
from things
where id = :id;

-- name: drop_things()#
drop table things;
"""
B = "-- name: get_thing()$\n-- returns: int\nselect 1 as one;\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b.sql").write_text(B)
    (tmp_path / "a.sql").write_text(A)
    return tmp_path


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_file_and_each_query_is_an_attribute(folder, dialect):
    queries = load_queries(folder, dialect, {"Thing": Thing})
    assert repr(queries.a.get_thing) == f"<query a.get_thing^ ({dialect})>"
    assert queries.a.get_thing.source.doc == "One thing."
    assert queries.a.get_thing.source.file == str(folder / "a.sql")
    assert queries.a.get_thing.dialect == dialect
    assert queries.query("a.get_thing") is queries.a.get_thing
    # The same name in two files is two queries.
    assert queries.query("b.get_thing") is queries.b.get_thing is not queries.a.get_thing


def test_iterating_is_in_the_order_of_file_names_and_of_the_file(folder):
    queries = load_queries(folder, "sqlite", {"Thing": Thing})
    assert [q.source.full_name for q in queries] == ["a.get_thing", "a.drop_things", "b.get_thing"]
    assert [q.source.name for q in queries.a] == ["get_thing", "drop_things"]


def test_only_sql_files_are_read(folder):
    (folder / "notes.txt").write_text("not SQL")
    (folder / "__init__.py").write_text("")
    (folder / "archive.sql").mkdir()
    assert len(list(load_queries(folder, "sqlite", {"Thing": Thing}))) == 3


def test_aiosql_knows_the_queries_too(folder):
    queries = load_queries(folder, "sqlite", {"Thing": Thing})
    assert queries.available_queries == ["a.drop_things", "a.get_thing", "b.get_thing"]


def test_a_name_that_does_not_exist_is_an_error_that_names_the_file(folder):
    queries = load_queries(folder, "sqlite", {"Thing": Thing})
    with pytest.raises(AttributeError, match=r"no query 'get_things' in a\.sql"):
        queries.a.get_things  # noqa: B018
    with pytest.raises(AttributeError, match=r"no query file c\.sql"):
        queries.c  # noqa: B018
    for name in ("a.get_things", "c.get_thing", "get_thing"):
        with pytest.raises(KeyError):
            queries.query(name)


def test_a_text_is_loaded_as_if_it_were_a_file():
    assert load_text(B, "postgres").get_thing.source.full_name == "text.get_thing"
    assert load_text(B, "postgres", subject="things").get_thing.source.file == "things.sql"


@pytest.mark.parametrize("path", ["missing", "a.sql"])
def test_a_folder_that_cant_be_read_is_a_configuration_error(folder, path):
    with pytest.raises(ConfigurationError, match=r"can't be read: (No such file or directory|Not a directory)"):
        load_queries(folder / path, "sqlite")


def test_a_folder_without_query_files_is_a_configuration_error(tmp_path):
    (tmp_path / "readme.txt").write_text("none yet")
    with pytest.raises(ConfigurationError, match=r"has no query files \(\*\.sql\)"):
        load_queries(tmp_path, "sqlite")


BROKEN = [
    ("not UTF-8", b"-- name: x()!\ndelete from a where b = '\xe9';", "2:26", "the file is not UTF-8"),
    ("unknown model", b"\n-- name: x()^\n-- returns: Thong\nselect 1;", "2:1",
     "'returns: Thong' is neither a model nor a type: use one of Thing, text, int"),
    ("no SQL", b"-- name: x()!\n-- nothing", "1:1", "query 'x' has no SQL"),
    ("two statements", b"-- name: x()!\ndelete from a; delete from b;", "2:14",
     "query 'x' has a second statement after this ';': use a script ('#')"),
    ("two statements, the second on another line", b"-- name: x()!\ndelete from a;\n-- and\n\ndelete from b", "2:14",
     "query 'x' has a second statement"),
    ("a parameter behind the end", b"-- name: x(a)!\n-- param: a int\ndelete from a; :a", "3:14",
     "query 'x' has a second statement"),
    ("a parameter in upper case", b"-- name: x(a)!\n-- param: A int\ndelete from a", "2:1",
     "'A' is not a parameter name"),
    ("name of aiosql's", b"\n\n-- name: load()!\ndelete from a;", "3:1",
     "a query can't be named 'load': aiosql uses this name itself"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "place", "problem"), [c[1:] for c in BROKEN], ids=[c[0] for c in BROKEN])
def test_what_is_not_right_in_a_file_is_named_with_its_place(folder, content, place, problem):
    file = folder / "c.sql"
    file.write_bytes(content)
    with pytest.raises(QueryFileError) as error:
        load_queries(folder, "sqlite", {"Thing": Thing})
    assert str(error.value).startswith(f"{file}:{place}: {problem}")


@pytest.mark.parametrize(
    "text",
    [
        "-- name: x()!\ndelete from a where b = ';';",
        "-- name: x()!\ndelete from a; -- all of it; really\n;\n",
        "-- name: x()!\ndelete from a /* ; */;",
        "-- name: x#\ndelete from a; delete from b;",
    ],
)
def test_a_semicolon_that_ends_nothing_is_no_matter(text):
    assert load_text(text, "sqlite").x.source.name == "x"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a-b", "a query file is named in lower case with underscores"),
        ("Things", "a query file is named in lower case with underscores"),
        ("*/ drop", None),
        ("query", "a query file can't be named 'query': aiosql uses it itself"),
        ("available_queries", "a query file can't be named 'available_queries': aiosql uses it itself"),
    ],
)
def test_a_file_name_that_cant_be_an_attribute_is_refused(tmp_path, name, problem):
    file = tmp_path / f"{name}.sql"
    if problem is None:
        file = tmp_path / f"{name.replace('/', '∕')}.sql"
        problem = "a query file is named in lower case with underscores"
    file.write_text(B)
    with pytest.raises(QueryFileError) as error:
        load_queries(tmp_path, "sqlite")
    assert str(error.value) == f"{file}:1:1: {problem}"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_packaged_queries_load_and_are_read_once(dialect):
    queries = packaged_queries(dialect)
    assert packaged_queries(dialect) is queries
    assert {q.source.subject for q in queries} == {"users", "api_keys", "workflows", "tasks"}


def test_a_copy_of_the_tree_loads_too(tmp_path):
    # As an application does that has its own tree: a plain folder, not a package.
    with resources.as_file(resources.files("diglot.statestore.sql") / "postgres") as tree:
        shutil.copytree(Path(tree), tmp_path / "postgres")
    mine = load_queries(tmp_path / "postgres", "postgres", TREES.row_models())
    assert [q.source.full_name for q in mine] == [q.source.full_name for q in packaged_queries("postgres")]
