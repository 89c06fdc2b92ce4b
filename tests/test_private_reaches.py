"""Where Diglot relies on more than a package documents, a new version of the package must not change it in silence.

``setup.cfg`` caps these packages. Before a cap is raised, these tests say what changed.
"""

from __future__ import annotations

import ast
import inspect
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import cast

import psycopg
import pytest
import sqlglot
from aiosql.queries import Queries
from aiosql.query_loader import QueryLoader
from aiosql.types import QueryDatum
from litestar.dto import AbstractDTO
from psycopg import generators, pq
from sqlglot import exp
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from diglot.sql.adapters import ADAPTERS
from diglot.sql.session import Statement
from diglot.statestore.server.protocol import BoundedProtocol
from diglot.stores.postgres import statements
from diglot.stores.postgres.connection import Link, connect
from diglot.stores.settings import PostgresSettings
from diglot.stores.url import parse_url

SLOW = "select pg_sleep(0.05)"
"""Its answer is not there yet when the pipeline ends, so psycopg asks for it."""
PACKAGE = Path(__file__).parent.parent / "pkg" / "diglot"


# --- psycopg: a pipeline ends without a Flush (stores/postgres/statements.py) ---


def test_a_pipeline_of_psycopg_fetches_with_fetch_gen() -> None:
    fetch = psycopg.Pipeline._fetch_gen
    assert inspect.isgeneratorfunction(fetch)
    assert str(inspect.signature(fetch)).startswith("(self, *, flush: 'bool')")
    assert list(inspect.signature(generators.send).parameters) == ["pgconn"]


def test_psycopg_sends_a_flush_after_the_last_sync_and_ours_does_not(postgres_url: str) -> None:
    postgres_settings = cast(PostgresSettings, parse_url(postgres_url))
    link = Link(connect(postgres_settings), postgres_settings)
    with closing(link):
        assert _messages(link, lambda: _plain_pipeline(link))[-2:] == ["Sync", "Flush"]
        ours = _messages(link, lambda: statements.together(link, [(Statement("q", SLOW), ())] * 2, (), ()))
        assert ours[-1] == "Sync"
        assert "Flush" not in ours


# --- aiosql: the loader is subclassed, and Queries hold the result (sql/loader.py) ---


def test_aiosql_loads_and_holds_queries_as_the_loader_needs_it() -> None:
    assert list(inspect.signature(QueryLoader.load_query_data_from_sql).parameters) == [
        "self", "sql", "ns_parts", "fname",
    ]  # fmt: skip
    assert QueryDatum._fields == (
        "query_name", "doc_comments", "operation_type", "sql", "record_class", "signature", "floc", "attributes",
        "parameters",
    )  # fmt: skip
    queries = Queries(ADAPTERS["sqlite"]())
    queries.add_query("one", lambda: 1)
    assert (queries.available_queries, queries.one()) == (["one"], 1)


# --- litestar: a DTO describes its body itself (statestore/server/bodies.py) ---


def test_litestar_asks_a_dto_for_its_schema() -> None:
    parameters = inspect.signature(AbstractDTO.create_openapi_schema).parameters
    assert list(parameters) == ["field_definition", "handler_id", "schema_creator"]


# --- uvicorn: its protocol is subclassed (statestore/server/protocol.py) ---


def test_the_protocol_of_uvicorn_has_the_methods_that_ours_overrides_and_calls() -> None:
    own = {name for name in vars(BoundedProtocol) if not name.startswith("_")}
    assert own == {
        "connection_made", "connection_lost", "data_received", "on_message_begin", "on_headers_complete",
        "on_message_complete", "on_response_complete", "pause_writing", "resume_writing",
    }  # fmt: skip
    for name in own:
        theirs, ours = getattr(HttpToolsProtocol, name), getattr(BoundedProtocol, name)
        assert list(inspect.signature(theirs).parameters) == list(inspect.signature(ours).parameters), name
    assert list(inspect.signature(HttpToolsProtocol.send_400_response).parameters) == ["self", "msg"]
    source = inspect.getsource(HttpToolsProtocol)
    for attribute in ("transport", "flow", "client", "loop"):
        assert f"self.{attribute}: " in source or f"self.{attribute} = " in source, attribute
    assert "self.read_paused" in inspect.getsource(FlowControl.__init__)


# --- sqlglot: arguments of expressions are read by name, and a name that is gone reads as "not there" ---

FRAME = "select sum(a) over (order by a rows between 1 preceding and 2 following exclude ties) from b"
MERGE = "merge into a using b on a.c = b.c when matched then update set d = 1"
ARGUMENTS = {
    "alias": [(exp.CTE, "with a (b) as (select 1) select b from a"), (exp.Subquery, "select 1 from (select 1) as a")],
    "conflict": [(exp.Insert, "insert into a values (1) on conflict do nothing")],
    "count": [(exp.Fetch, "select a from b fetch first 3 rows only")],
    "default": [(exp.Case, "select case when a then 1 else 2 end from b")],
    "distinct": [(exp.Select, "select distinct a from b")],
    "expression": [
        (exp.Limit, "select a from b limit 1"),
        (exp.Offset, "select a from b offset 1"),
        (exp.Insert, "insert into a select 1"),
        (exp.JSONExtract, "select a -> 'b' from c"),
    ],
    "expressions": [(exp.In, "select a in (1, 2) from b")],
    "format": [(exp.TimeToStr, "select strftime('%Y', a) from b")],
    "from_": [(exp.Select, "select a from b"), (exp.Update, "update a set b = c.b from c")],
    "group": [(exp.Select, "select a from b group by a")],
    "having": [(exp.Select, "select a from b group by a having true")],
    "high": [(exp.Between, "select a between 1 and 2 from b")],
    "ifs": [(exp.Case, "select case when a then 1 else 2 end from b")],
    "joins": [(exp.Select, "select a from b join c on true")],
    "length": [(exp.Substring, "select substr(a, 1, 2) from b")],
    "limit": [(exp.Select, "select a from b limit 1")],
    "low": [(exp.Between, "select a between 1 and 2 from b")],
    "negate": [(exp.Is, "select a is not null from b"), (exp.Like, "select a not like 'b' from c")],
    "offset": [(exp.Select, "select a from b offset 1")],
    "on": [(exp.Join, "select a from b join c on true")],
    "order": [(exp.Select, "select a from b order by a")],
    "position": [(exp.Trim, "select ltrim(a) from b")],
    "query": [(exp.In, "select a in (select 1) from b")],
    "recursive": [(exp.With, "with recursive a as (select 1) select 1 from a")],
    "replacement": [(exp.Replace, "select replace(a, 'b', 'c') from d")],
    "returning": [(exp.Insert, "insert into a values (1) returning b"), (exp.Delete, "delete from a returning b")],
    "start": [(exp.Substring, "select substr(a, 1, 2) from b"), (exp.WindowSpec, FRAME)],
    "this": [(exp.Case, "select case a when 1 then 2 end from b")],
    "true": [(exp.If, "select case when a then 1 else 2 end from b")],
    "false": [(exp.If, "select iif(a, 1, 2) from b")],
    "using": [(exp.Delete, "delete from a using b where true")],
    "where": [(exp.Select, "select a from b where c"), (exp.Update, "update a set b = 1 where c")],
    "end": [(exp.WindowSpec, FRAME)],
    "end_side": [(exp.WindowSpec, FRAME)],
    "exclude": [(exp.WindowSpec, FRAME)],
    "method": [(exp.Join, "select a from b natural join c")],
    "quoted": [(exp.Identifier, 'select "a"')],
    "spec": [(exp.Window, FRAME)],
    "start_side": [(exp.WindowSpec, FRAME)],
    "then": [(exp.When, MERGE)],
    "whens": [(exp.Merge, MERGE)],
    "windows": [(exp.Select, "select sum(a) over w from b window w as (order by a)")],
    "with_": [(exp.Select, "with a as (select 1) select 1 from a")],
    "zone": [(exp.AtTimeZone, "select a at time zone 'UTC' from b")],
}
"""By argument: the expressions that it is read from, each with SQL in which it is there."""
DIALECTS = {"delete from a using b where true": "postgres", "select iif(a, 1, 2) from b": "sqlite",
            "select strftime('%Y', a) from b": "sqlite"}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_sqlglot_gives_an_argument_the_name_that_we_read(name: str) -> None:
    for kind, sql in ARGUMENTS[name]:
        found = sqlglot.parse_one(sql, dialect=DIALECTS.get(sql, "postgres")).find(kind)
        assert found is not None, sql
        assert name in found.arg_types, kind
        assert found.args.get(name), f"{kind.__name__} of {sql!r} has no {name!r}, but {sorted(found.args)}"


def test_the_list_has_every_argument_that_our_code_reads() -> None:
    read = {name for path in PACKAGE.rglob("*.py") if "sqlglot" in (text := path.read_text()) for name in _read(text)}
    assert len(read) > 20
    assert read <= set(ARGUMENTS), f"add {sorted(read - set(ARGUMENTS))} to ARGUMENTS"


def test_a_column_knows_the_argument_that_its_table_is() -> None:
    table = sqlglot.parse_one("select a.b from a", dialect="postgres").selects[0].args["table"]
    assert table.arg_key == "table"


def _read(text: str) -> set[str]:
    """The names in ``x.args.get("name")`` and ``x.args["name"]``; a variable stands for what its loop names."""
    tree = ast.parse(text)
    loops = {
        loop.target.id: {each.value for each in loop.iter.elts if isinstance(each, ast.Constant)}
        for loop in ast.walk(tree)
        if isinstance(loop, ast.For | ast.comprehension)
        and isinstance(loop.target, ast.Name)
        and isinstance(loop.iter, ast.Tuple)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            of, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            of, key = node.func.value, node.args[0]
        else:
            continue
        if not (isinstance(of, ast.Attribute) and of.attr == "args"):
            continue
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            found.add(key.value)
        elif isinstance(key, ast.Name):
            found |= loops[key.id]
    return found


# --- what is on the wire ---


def _plain_pipeline(link: Link) -> None:
    with link.connection.pipeline():
        link.new_cursor().execute(SLOW)
        link.new_cursor().execute(SLOW)


def _messages(link: Link, run: Callable[[], object]) -> list[str]:
    """The kinds of messages that were sent to the server, in their order."""
    with tempfile.TemporaryFile() as file:
        link.connection.pgconn.trace(file.fileno())
        link.connection.pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
        run()
        link.connection.pgconn.untrace()
        file.seek(0)
        lines = [line.split(b"\t") for line in file.read().splitlines()]
    return [line[2].decode() for line in lines if line[0] == b"F"]
