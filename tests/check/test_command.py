"""``diglot check``: what is checked, in which order, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diglot.check.run import CHECKS
from diglot.cli.check import CHECKS as OFFERED
from tests.check.example import edit, project
from tests.cli.running import diglot

__all__ = ["project"]


def states(out: str) -> dict[str, str]:
    return {check["name"]: check["state"] for check in json.loads(out)["checks"]}


def test_the_example_project_is_right(project: Path, postgres_url: str) -> None:
    result = diglot("check", "--postgres-url", postgres_url, "--format", "json")
    assert (result.code, result.json["findings"], result.json["unknowns"]) == (0, [], [])
    assert list(states(result.out).items()) == [(name, "passed") for name in CHECKS]


def test_our_own_trees_are_right(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    only = [part for name in CHECKS if name not in ("prepare", "plans") for part in ("--only", name)]
    result = diglot("check", *only, "--postgres-url", postgres_url, "--format", "json")
    assert (result.code, result.json["findings"]) == (0, [])


@pytest.mark.postgres
def test_without_an_address_the_embedded_postgres_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIGLOT_CHECK_POSTGRES_URL", raising=False)
    result = diglot("check", "--only", "migrations")
    assert (result.code, result.out.splitlines()[-1].partition(":")[0]) == (0, "no findings")


BREAKS = [
    ("headers", "queries/sqlite/orders.sql", "-- param: id text\n", "-- parm: id text\n",
     "queries/sqlite/orders.sql:2:1"),
    ("parity", "queries/sqlite/customers.sql", "-- name: delete_customer", "-- name: remove_customer",
     "queries/sqlite/customers.sql:"),
    ("prepare", "queries/postgres/customers.sql", "    email,\n", "    emale,\n", "queries/postgres/customers.sql:"),
    ("plans", "queries/sqlite/customers.sql", "where email = :email", "where lower(email) = :email",
     "queries/sqlite/customers.sql:9:6"),
    ("migrations", "migrations/postgres/0003_order_notes.down.sql", "alter table orders drop column note", "select 1",
     "migrations/postgres/0003_order_notes.down.sql:1:1"),
    ("drift", "migrations/sqlite/0002_orders.up.sql", "total_cents integer not null", "total_cents integer",
     "migrations/postgres/0002_orders.up.sql:"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "file", "old", "new", "place"), BREAKS, ids=[b[0] for b in BREAKS])
def test_each_check_finds_its_mistake_at_its_place(
    check: str, file: str, old: str, new: str, place: str, project: Path, postgres_url: str
) -> None:
    edit(project / file, old, new)
    result = diglot("check", "--only", check, "--postgres-url", postgres_url)
    assert result.code == 1, result.err
    assert f"\n  {place}" in result.out


def test_all_are_told_and_none_stops_the_others(project: Path, postgres_url: str) -> None:
    edit(project / "queries/sqlite/customers.sql", "-- name: delete_customer", "-- name: remove_customer")
    edit(project / "migrations/postgres/0003_order_notes.down.sql", "drop column note", "drop column if exists other")
    result = diglot("check", "--postgres-url", postgres_url, "--format", "json")
    assert result.code == 1
    found = states(result.out)
    assert (found["parity"], found["plans"], found["migrations"]) == ("failed", "passed", "failed")


def test_migrations_that_fail_are_told_once(project: Path, postgres_url: str) -> None:
    edit(project / "migrations/sqlite/0002_orders.up.sql", "create table orders", "create tabel orders")
    result = diglot("check", "--postgres-url", postgres_url, "--format", "json")
    assert [(one["check"], one["path"], one["line"]) for one in result.json["findings"]] == [
        ("migrations", "migrations/sqlite/0002_orders.up.sql", 1)
    ]
    assert {name for name, state in states(result.out).items() if state == "left out"} == {"prepare", "plans", "drift"}


def test_a_project_may_have_migrations_alone(project: Path) -> None:
    (project / "diglot.toml").unlink()
    result = diglot("check", "--migrations", "migrations", "--dialect", "sqlite", "--format", "json")
    assert result.code == 0, result.out
    assert states(result.out) == {name: "passed" if name == "migrations" else "left out" for name in CHECKS}


def test_a_project_may_have_queries_alone(project: Path) -> None:
    (project / "diglot.toml").unlink()
    result = diglot("check", "--queries", "queries", "--format", "json")
    assert result.code == 0, result.out
    assert [name for name, state in states(result.out).items() if state == "passed"] == ["headers", "parity"]


def test_an_option_names_one_tree_and_leaves_the_others_as_they_are(project: Path) -> None:
    (project / "migrations").rename(project / "elsewhere")
    (project / "migrations").mkdir()
    result = diglot("check", "--migrations", "elsewhere", "--dialect", "sqlite", "--format", "json")
    assert result.code == 0, result.out
    assert states(result.out) == {name: "left out" if name in ("parity", "drift") else "passed" for name in CHECKS}


def test_one_dialect_needs_no_postgres(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diglot.check.run.postgres_server", None)
    result = diglot("check", "--dialect", "sqlite", "--format", "json")
    assert result.code == 0, result.err
    assert states(result.out) == {name: "left out" if name in ("parity", "drift") else "passed" for name in CHECKS}


def test_formats_are_chosen_before_or_after_the_command(project: Path) -> None:
    quick = ["--queries", "queries", "--only", "headers"]
    assert diglot("--format", "json", "check", *quick).json["findings"] == []
    assert diglot("check", *quick, "--format", "junit").out.startswith("<?xml")
    assert diglot("check", *quick, "--format", "github").out.startswith("no findings: 1 check in ")
    assert diglot("check", *quick, "--format", "yaml").code == 2


WRONG = [
    ("no such folder", ["--queries", "nowhere"], 2, "nowhere"),
    (
        "a folder without a dialect",
        ["--queries", "shop", "--only", "plans", "--migrations", "migrations"],
        2,
        "postgres",
    ),
    ("both dialects are needed", ["--dialect", "sqlite", "--only", "parity"], 2, "compares the two dialects"),
    ("an unknown check", ["--only", "spelling"], 2, "spelling"),
    ("models that are not there", ["--models", "shop.nothing"], 2, "shop.nothing"),
    ("no server", ["--only", "drift", "--postgres-url", "postgresql://127.0.0.1:1/x?sslmode=disable"], 3, "127.0.0.1"),
    ("an address of something else", ["--only", "drift", "--postgres-url", "mysql://x/y"], 2, "mysql"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_what_is_wrong_is_one_line(arguments: list[str], code: int, said: str, project: Path) -> None:
    result = diglot("check", *arguments)
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert result.err.count("\n") == 1


SECTIONS = [
    ("unknown key", 'querys = "queries"', "querys"),
    ("wrong type", "queries = 1", "queries"),
    ("no such folder", 'queries = "nowhere"', "there is no folder"),
    ("unknown check", 'queries = "queries"\nonly = ["spelling"]', "unknown check 'spelling'"),
]


@pytest.mark.parametrize(("section", "said"), [s[1:] for s in SECTIONS], ids=[s[0] for s in SECTIONS])
def test_the_section_of_the_file_is_checked(section: str, said: str, project: Path) -> None:
    (project / "diglot.toml").write_text(f"[check]\n{section}\n")
    result = diglot("check")
    assert result.code == 2
    assert said in result.err


def test_a_check_without_what_it_needs_is_one_line(project: Path) -> None:
    (project / "diglot.toml").unlink()
    result = diglot("check", "--queries", "queries", "--only", "drift")
    assert (result.code, result.out) == (2, "")
    assert "it needs migrations" in result.err


def test_the_section_is_no_setting_of_the_database(project: Path) -> None:
    (project / "diglot.toml").write_text("[check]\nonly = ['headers']\n")
    assert diglot("config", "show").code == 0


def test_the_file_may_stand_elsewhere(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = diglot("--config", "shop/diglot.toml", "check", "--only", "headers", "--format", "json")
    assert (result.code, states(result.out)) == (0, {"headers": "passed"})


def test_checksums_are_written_and_then_compared(project: Path) -> None:
    sqlite = ["--only", "migrations", "--dialect", "sqlite"]
    assert "checksums.sha256" in diglot("check", "--write-checksums").out
    assert diglot("check", *sqlite).code == 0
    edit(project / "migrations/sqlite/0001_customers.up.sql", "create table", "create  table")
    result = diglot("check", *sqlite)
    assert result.code == 1
    assert "migrations/sqlite/0001_customers.up.sql:1:1: " in result.out


def test_the_command_offers_every_check() -> None:
    assert OFFERED == CHECKS


def test_strict_fails_on_the_unknown(project: Path) -> None:
    header = "-- returns: text\n-- Doc.\n-- plan: scan because it is small"
    (project / "queries/sqlite/unsure.sql").write_text(
        f"-- name: unsure\n{header}\nselect date(placed_at) as day from orders;\n"
    )
    arguments = ["check", "--only", "prepare", "--dialect", "sqlite"]
    lenient = diglot(*arguments)
    assert (lenient.code, lenient.out.splitlines()[-1].partition(":")[0]) == (0, "no findings, 3 unknown")
    assert diglot(*arguments, "--strict").code == 1
    with (project / "diglot.toml").open("a") as file:
        file.write("\n[check]\nstrict = true\n")
    assert diglot(*arguments).code == 1


def test_nothing_to_check_is_not_success(project: Path) -> None:
    for file in project.glob("queries/*/*.sql"):
        file.unlink()
    result = diglot("check", "--only", "headers", "--only", "parity")
    assert (result.code, result.out.splitlines()[-1]) == (2, "nothing to check")
