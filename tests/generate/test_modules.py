"""What ``diglot generate`` writes: read by mypy and ruff, the same every time, and what the loaded queries do."""

from __future__ import annotations

import inspect
import keyword
import subprocess
import sys
from importlib import import_module, resources
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from diglot.errors import ConfigurationError, QueryFileError
from diglot.generate import modules, stale, write
from diglot.sql.session import DIALECTS
from diglot.statestore.database import packaged_queries
from diglot.statestore.project import TREES
from tests.generate.type_check import mypy

QUERIES = resources.files("diglot.statestore.sql")
ODD = '''
-- name: list(class_of, session, self)
-- param: class_of text[]?
-- param: session json
-- param: self timestamp
-- returns: Json
-- A name that hides a type, and a "quoted end"
select :class_of, :session, :self;

-- name: text_values()
-- returns: text?
-- A backslash \\\\ and """ three quotes, in a line that is so long that it does not fit into one line of the module.
--
-- A second paragraph.
select null;

-- name: value()$
-- returns: json?
select null;

-- name: instant()^
-- returns: timestamp?
-- When.
select null;

-- name: put(id, data)*!
-- param: id int
-- param: data bytes?
-- Many at once.
insert into t values (:id, :data);

-- name: reset()#
-- Everything anew.
delete from t; delete from u;
'''


class Json(msgspec.Struct):
    a: str


def tree(folder: Path, **files: str) -> Path:
    for dialect in DIALECTS:
        (folder / dialect).mkdir(parents=True)
        for name, text in files.items():
            (folder / dialect / f"{name}.sql").write_text(text, "utf-8")
    return folder


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=300)


def test_the_generated_types_are_up_to_date():
    assert stale(Path(str(resources.files("diglot.statestore.queries"))), modules(QUERIES, TREES.row_models())) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_loaded_query_has_its_method_with_its_parameters_and_doc(dialect):
    seen = set()
    for query in packaged_queries(dialect):
        source = query.source
        module = import_module(f"diglot.statestore.queries.{source.subject}")
        protocol = get_type_hints(import_module("diglot.statestore.queries").Queries.__dict__[source.subject].fget)[
            "return"
        ]
        method = getattr(protocol, source.name)
        parameters = inspect.signature(method).parameters
        if source.parameters:
            typed = vars(module)[f"{camel(source.name)}Parameters"]
            assert list(typed.__annotations__) == [p.name for p in source.parameters]
            last = "batch" if source.suffix == "*!" else "parameters"
            assert typed.__name__ in parameters[last].annotation
        else:
            assert list(parameters) == ["self", "session"]
        assert " ".join(inspect.getdoc(method).split()) == " ".join(source.doc.split())
        seen.add((source.subject, source.name))
    methods = {
        (kind.__module__.rpartition(".")[2], name)
        for subject in {subject for subject, _ in seen}
        for kind in [getattr(import_module(f"diglot.statestore.queries.{subject}"), f"{camel(subject)}Queries")]
        for name in vars(kind)
        if not name.startswith("_")
    }
    assert methods == seen


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def test_the_same_files_give_the_same_text(tmp_path):
    folder = tree(tmp_path, b=ODD, a=ODD)
    assert modules(folder, {"Json": Json}) == modules(folder, {"Json": Json})
    assert list(modules(folder, {"Json": Json})) == ["__init__.py", "a.py", "b.py"]


def test_odd_names_and_docs_make_modules_that_mypy_and_ruff_take(session_folder, tmp_path):
    package = tmp_path / "shop" / "queries_typed"
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "rows.py").write_text("import msgspec\n\n\nclass Json(msgspec.Struct):\n    a: str\n")
    model = type("Json", (msgspec.Struct,), {"__module__": "shop.rows", "__annotations__": {"a": str}})
    write(package, modules(tree(tmp_path / "queries", odd=ODD), {"Json": model}))
    user = tmp_path / "use.py"
    user.write_text(
        "from datetime import datetime\n"
        "from typing import Any\n\n"
        "from diglot.sql.session import Session\n"
        "from shop.queries_typed import Queries\n"
        "from shop.rows import Json\n\n\n"
        "def use(q: Queries, session: Session, at: datetime) -> tuple[list[Json], list[str | None], datetime | None]:\n"
        "    value: Any = q.odd.value(session)\n"
        "    changed: int = q.odd.put(session, [{'id': 1, 'data': b''}, {'id': 2, 'data': None}])\n"
        "    q.odd.reset(session)\n"
        "    rows = q.odd.list(session, class_of=['a'], session=Json(f'{value}{changed}'), self=at)\n"
        "    return rows, q.odd.text_values(session), q.odd.instant(session)\n"
    )
    text = (package / "odd.py").read_text()
    assert text.startswith("# Generated by 'diglot generate' from odd.sql")
    ruff = run("ruff", "check", "--isolated", "--line-length", "88", "--select", "E,F,W,I,UP,B,N,RUF", str(package))
    assert ruff.returncode == 0, ruff.stdout
    formatted = run("ruff", "format", "--isolated", "--diff", str(package))
    assert formatted.returncode == 0, formatted.stdout
    checked = mypy(session_folder, tmp_path, "use.py", "shop")
    assert checked.returncode == 0, checked.stdout


def test_a_query_that_only_sqlite_has_is_typed_too(tmp_path):
    folder = tree(tmp_path, a="-- name: one()$\n-- returns: int\nselect 1;\n")
    with (folder / "sqlite" / "a.sql").open("a") as file:
        file.write("-- name: two()$\n-- only: sqlite because it vacuums\n-- returns: int\nselect 2;\n")
    text = modules(folder)["a.py"]
    assert text.index("def one(") < text.index("def two(")


REFUSED = [
    ("-- name: import()!\ndelete from t;\n", "a.sql:1:1: a query can't be named 'import'"),
    ("\n-- name: q(from)!\n-- param: from int\ndelete from t where a = :from;\n", "2:1: a parameter can't be named"),
    (
        "-- name: a_1\n-- param: b int\n-- returns: int\nselect :b;\n\n"
        "-- name: a1\n-- param: b int\n-- returns: int\nselect :b;\n",
        "a.sql:6:1: the generated class A1Parameters is defined already: give query 'a1' another name",
    ),
    ("-- name: q()\n-- returns: Thing\nselect 1;\n", "'returns: Thing' is neither a model nor a type"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_python_can_t_say_is_refused_with_its_place(tmp_path, text, message):
    with pytest.raises(QueryFileError, match=r"a\.sql:\d") as refused:
        modules(tree(tmp_path, a=text))
    assert message in str(refused.value)


ONE = "-- name: one()$\n-- returns: int\nselect 1;\n"


@pytest.mark.parametrize("name", ["class", "async", "my-file", "My", "1a", "__init__", "add_queries", "property"])
def test_a_file_that_can_be_no_module_is_refused_with_its_name(tmp_path, name):
    with pytest.raises(QueryFileError, match=rf"/{name}\.sql:1:1: a query file is named in lower case"):
        modules(tree(tmp_path, **{name: ONE}))


def test_two_files_whose_class_would_have_one_name_are_refused(tmp_path):
    message = r"^a_1\.sql:1:1: the generated class A1Queries is that of a1\.sql already"
    with pytest.raises(QueryFileError, match=message):
        modules(tree(tmp_path, a1=ONE, a_1=ONE))


def test_every_other_name_gives_a_package_that_can_be_imported(tmp_path, monkeypatch):
    soft = [name for name in keyword.softkwlist if name != "_"]
    names = [*soft, "builtins", "typing", "protocol", "queries", "int", "self", "annotations"]
    write(tmp_path / "typed_by_test", modules(tree(tmp_path / "queries", **dict.fromkeys(names, ONE))))
    monkeypatch.syspath_prepend(str(tmp_path))
    queries = import_module("typed_by_test").Queries
    for name in names:
        protocol = get_type_hints(inspect.getattr_static(queries, name).fget)["return"]
        assert protocol.__module__ == f"typed_by_test.{name}"


def test_trees_that_declare_a_query_differently_are_refused(tmp_path):
    folder = tree(tmp_path, a="-- name: one()$\n-- returns: int\nselect 1;\n")
    (folder / "sqlite" / "a.sql").write_text("-- name: one()$\n-- returns: text\nselect '1';\n")
    with pytest.raises(
        QueryFileError, match=r"sqlite/a\.sql:1:1: query a\.one is declared differently in .*postgres/a"
    ):
        modules(folder)


def test_a_folder_without_query_files_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="no query files"):
        modules(tmp_path)


# --- files ---


def test_only_what_changed_is_written_and_what_is_left_over_goes(tmp_path):
    assert len(write(tmp_path, {"a.py": "# Generated by 'diglot generate' 1\n", "b.py": "# Generated"})) == 2
    (tmp_path / "own.py").write_text("mine\n")
    assert write(tmp_path, {"a.py": "# Generated by 'diglot generate' 2\n"}) == [tmp_path / "a.py"]
    (tmp_path / "old.py").write_text("# Generated by 'diglot generate' from old.sql\n")
    assert stale(tmp_path, {"a.py": "other", "c.py": "new"}) == [
        (tmp_path / "a.py", "out of date"),
        (tmp_path / "c.py", "missing"),
        (tmp_path / "old.py", "left over"),
    ]
    assert write(tmp_path, {"a.py": "# Generated by 'diglot generate' 2\n"}) == [tmp_path / "old.py"]
    assert (tmp_path / "own.py").read_text() == "mine\n"


def test_a_file_that_was_not_generated_is_never_overwritten(tmp_path):
    (tmp_path / "tasks.py").write_text("by hand\n")
    with pytest.raises(ConfigurationError, match=r"tasks\.py was not generated"):
        write(tmp_path, {"__init__.py": "x", "tasks.py": "y"})
    assert [path.name for path in tmp_path.iterdir()] == ["tasks.py"]


def test_line_ends_of_a_checkout_are_no_difference(tmp_path):
    (tmp_path / "a.py").write_bytes(b"# Generated by 'diglot generate'\r\n")
    assert stale(tmp_path, {"a.py": "# Generated by 'diglot generate'\n"}) == []
