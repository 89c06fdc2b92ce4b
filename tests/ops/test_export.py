"""An export is all rows of one moment; an import stores all of a whole file, or nothing, as often as it is asked to."""

from __future__ import annotations

import gzip
import json
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import ConfigurationError, DiglotError, ExportDamaged, MigrationUnknown, RowRefused
from diglot.ops.copy import copy
from diglot.ops.export import export
from diglot.ops.import_file import import_file
from diglot.project import Project
from diglot.sql.session import Statement
from diglot.stores import open_store
from diglot.stores.url import parse_url
from tests.cli.running import diglot
from tests.ops.awkward import VALUES, fill, rows_of
from tests.ops.backup.databases import contents
from tests.ops.backup.test_file import damaged

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
Urls = tuple[str, str]


def run(url: str, text: str) -> None:
    with open_store(parse_url(url)) as store, store.transaction() as tx:
        tx.rows(Statement("test.run", text, writes=True))


def lines_of(file: Path) -> list[bytes]:
    """Its lines: not what splitlines makes of a text, which ends lines at other characters too."""
    return file.read_bytes().removesuffix(b"\n").split(b"\n")


@pytest.mark.parametrize("name", ["app.jsonl", "app.jsonl.gz", "app.jsonl.zst"])
def test_an_import_has_the_content_that_a_copy_has(project: Project, urls: Urls, tmp_path: Path, name: str) -> None:
    fill(urls[0], project)
    done = export(parse_url(urls[0]), tmp_path / name, NOW)
    assert done.tables["values_of_all_types"] == len(VALUES) + 1
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    imported = import_file(project, tmp_path / name, parse_url(urls[1]))
    assert (imported.rows, imported.changed, imported.skipped) == (done.rows, done.rows, 0)
    by_import = contents(urls[1])
    copy(project, parse_url(urls[0]), parse_url(urls[1]), replace=True)
    assert contents(urls[1]) == by_import


def test_an_import_again_changes_nothing_and_puts_changes_right(project: Project, urls: Urls, tmp_path: Path) -> None:
    fill(urls[0], project)
    file = tmp_path / "app.jsonl"
    export(parse_url(urls[0]), file, NOW)
    import_file(project, file, parse_url(urls[1]))
    before = contents(urls[1])
    assert import_file(project, file, parse_url(urls[1])).changed == 0
    run(urls[1], "update values_of_all_types set whole = 7 where words = 'two'")
    run(urls[1], "update players set rival_id = null where id = 'p29'")
    assert import_file(project, file, parse_url(urls[1])).changed == 2
    assert contents(urls[1]) == before
    from tests.ops.awkward import _insert

    with project.open(urls[1]) as db, db.transaction() as tx:
        _insert(tx, "values_of_all_types", {"words": "next"})
        _insert(tx, "players", {"id": "new", "team_id": "t1", "changes": 5})
    assert rows_of(urls[1], "select changes from players where id = 'new'") == [(6,)], "triggers are back"


def test_every_line_is_json_and_says_what_it_is(project: Project, urls: Urls, tmp_path: Path) -> None:
    fill(urls[0], project)
    file = tmp_path / "app.jsonl"
    export(parse_url(urls[0]), file, NOW, tables=["players"])
    header, *rows, footer = [json.loads(line) for line in lines_of(file)]
    assert header["migrations"] == ["20260101000000_first"]
    assert [table["name"] for table in header["tables"]] == ["players"]
    assert {row["table"] for row in rows} == {"players"}
    assert sorted(row["row"]["id"] for row in rows) == sorted(f"p{n}" for n in range(30))
    assert footer["rows"] == {"players": 30}
    with pytest.raises(ConfigurationError, match="there is no table playerz: use players, teams"):
        export(parse_url(urls[0]), tmp_path / "other.jsonl", NOW, tables=["playerz"])
    with pytest.raises(ConfigurationError, match="already exists"):
        export(parse_url(urls[0]), file, NOW)


def test_one_row_with_what_refers_to_it(project: Project, urls: Urls, tmp_path: Path) -> None:
    fill(urls[0], project)
    done = export(parse_url(urls[0]), tmp_path / "team.jsonl", NOW, root=("teams", "id", "t1"))
    assert done.tables == {"teams": 1, "players": 30}
    with pytest.raises(ConfigurationError, match="there is no row in teams with id 't2'"):
        export(parse_url(urls[0]), tmp_path / "none.jsonl", NOW, root=("teams", "id", "t2"))


# --- what is wrong with a file -----------------------------------------------------------------------------


def test_every_damaged_file_is_refused_with_its_line_and_nothing_is_stored(
    project: Project, urls: Urls, tmp_path: Path
) -> None:
    fill(urls[0], project)
    with project.open(urls[1]):
        pass
    file = tmp_path / "app.jsonl"
    export(parse_url(urls[0]), file, NOW)
    before = contents(urls[1])
    data = file.read_bytes()
    victim = tmp_path / "damaged.jsonl"
    for number in range(40):
        victim.write_bytes(damaged(data, number))
        with pytest.raises(ExportDamaged, match=r"damaged\.jsonl:\d+: "):
            import_file(project, victim, parse_url(urls[1]))
    lines = file.read_bytes().splitlines(keepends=True)
    for swapped in (lines[:2] + lines[3:], [*lines[:2], lines[3], lines[2], *lines[4:]], lines + lines[1:2]):
        victim.write_bytes(b"".join(swapped))
        with pytest.raises(ExportDamaged, match=r":\d+: "):
            import_file(project, victim, parse_url(urls[1]))
    assert contents(urls[1]) == before


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_damaged_compressed_file_is_refused_or_as_it_was(
    project: Project, urls: Urls, tmp_path: Path, ending: str
) -> None:
    """A few bytes of the header of a compressed file have no meaning: with another value its lines are the same."""
    fill(urls[0], project)
    file = tmp_path / f"app.jsonl{ending}"
    export(parse_url(urls[0]), file, NOW)
    import_file(project, file, parse_url(urls[1]))
    whole = contents(urls[1])
    run(urls[1], "update players set changes = 0")
    before = contents(urls[1])
    data = file.read_bytes()
    victim = tmp_path / f"damaged.jsonl{ending}"
    refused = 0
    for number in range(30):
        victim.write_bytes(damaged(data, number))
        try:
            import_file(project, victim, parse_url(urls[1]))
        except ExportDamaged:
            refused += 1
            assert contents(urls[1]) == before
        else:
            assert contents(urls[1]) == whole
            run(urls[1], "update players set changes = 0")
    assert refused >= 25


def test_refuses_a_newer_form_another_project_and_what_is_no_export(
    project: Project, urls: Urls, tmp_path: Path
) -> None:
    fill(urls[0], project)
    file = tmp_path / "app.jsonl"
    export(parse_url(urls[0]), file, NOW)
    text = file.read_text("utf-8")
    (tmp_path / "newer.jsonl").write_text(text.replace('"diglot_export":1', '"diglot_export":2'))
    with pytest.raises(ExportDamaged, match=r"newer\.jsonl:1: the format of a newer Diglot"):
        import_file(project, tmp_path / "newer.jsonl", parse_url(urls[1]))
    (tmp_path / "text.jsonl").write_text("hello\n")
    with pytest.raises(ExportDamaged, match=r"text\.jsonl:1: it is not the header"):
        import_file(project, tmp_path / "text.jsonl", parse_url(urls[1]))
    (tmp_path / "text.jsonl.gz").write_text("hello\n")
    with pytest.raises(ExportDamaged, match="compressed data is damaged"):
        import_file(project, tmp_path / "text.jsonl.gz", parse_url(urls[1]))
    assert project.migrations is not None
    for dialect in ("sqlite", "postgres"):
        for path in (project.migrations / dialect).glob("2026*"):
            path.rename(path.with_name(path.name.replace("first", "second")))
    with pytest.raises(MigrationUnknown, match="has the migration 20260101000000_first, which this project lacks"):
        import_file(project, file, parse_url(urls[1]))


def test_a_row_that_a_constraint_refuses_is_named_or_set_aside(project: Project, urls: Urls, tmp_path: Path) -> None:
    fill(urls[0], project)
    file = tmp_path / "app.jsonl"
    drop = (
        "alter table players drop constraint ck_players_changes"
        if urls[0].startswith("postgres")
        else "pragma ignore_check_constraints = 1"
    )
    with open_store(parse_url(urls[0])) as store, store.transaction() as tx:
        tx.rows(Statement("test.run", drop, writes=True))
        tx.rows(Statement("test.run", "update players set changes = 1000 where id in ('p3', 'p20')", writes=True))
    export(parse_url(urls[0]), file, NOW)
    with project.open(urls[1]):
        pass
    with pytest.raises(RowRefused, match=r"app\.jsonl:\d+: .*ck_players_changes"):
        import_file(project, file, parse_url(urls[1]))
    assert rows_of(urls[1], "select count(*) from values_of_all_types") == [(0,)]
    run(urls[0], "update players set rival_id = null where rival_id in ('p3', 'p20')")
    export(parse_url(urls[0]), tmp_path / "again.jsonl", NOW)
    done = import_file(project, tmp_path / "again.jsonl", parse_url(urls[1]), skip_bad=tmp_path / "aside")
    assert done.skipped == 2
    aside = [json.loads(line) for line in lines_of(tmp_path / "aside")]
    assert sorted(each["row"]["id"] for each in aside) == ["p20", "p3"]
    numbered = lines_of(tmp_path / "again.jsonl")
    assert all(json.loads(numbered[each["line"] - 1])["row"] == each["row"] for each in aside)
    assert rows_of(urls[1], "select count(*) from players") == [(28,)]


# --- meanwhile, and interrupted ----------------------------------------------------------------------------


def test_an_export_is_of_one_moment(project: Project, urls: Urls, tmp_path: Path) -> None:
    fill(urls[0], project)
    stop = threading.Event()
    with project.open(urls[0]) as db:

        def move() -> None:
            step = 1
            while not stop.is_set():
                with db.transaction() as tx:
                    for id, change in (("p20", step), ("p9", -step)):
                        text = f"update players set changes = changes + {change} where id = '{id}'"
                        tx.count(Statement("t", text, writes=True))
                step = -step

        writer = threading.Thread(target=move)
        writer.start()
        try:
            for number in range(3):
                export(parse_url(urls[0]), tmp_path / f"{number}.jsonl", NOW)
        finally:
            stop.set()
            writer.join()
    for number in range(3):
        rows = [json.loads(line) for line in lines_of(tmp_path / f"{number}.jsonl")[1:-1]]
        assert sum(row["row"]["changes"] for row in rows if row["table"] == "players") == sum(range(30))


def test_a_killed_import_stores_all_or_nothing_and_the_next_one_completes(
    project: Project, urls: Urls, tmp_path: Path
) -> None:
    fill(urls[0], project)
    file = tmp_path / "app.jsonl"
    export(parse_url(urls[0]), file, NOW)
    with project.open(urls[1]):
        pass
    program = (
        "import sys\nfrom pathlib import Path\nfrom diglot.ops.import_file import import_file\n"
        "from diglot.project import Project\nfrom diglot.stores.url import parse_url\n"
        "project = Project.find(sys.argv[1])\nprint('ready', flush=True)\n"
        "import_file(project, Path(sys.argv[3]), parse_url(sys.argv[2]))\n"
    )
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(project.file), urls[1], str(file)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert rows_of(urls[1], "select count(*) from players")[0][0] in (0, 30)
    import_file(project, file, parse_url(urls[1]))
    assert rows_of(urls[1], "select count(*) from players") == [(30,)]


def test_two_imports_at_once_store_the_same(project: Project, urls: Urls, tmp_path: Path) -> None:
    fill(urls[0], project)
    file = tmp_path / "app.jsonl"
    export(parse_url(urls[0]), file, NOW)
    failed: list[BaseException] = []

    def store() -> None:
        try:
            import_file(project, file, parse_url(urls[1]))
        except DiglotError as error:
            failed.append(error)

    threads = [threading.Thread(target=store) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows_of(urls[1], "select count(*) from players") == [(30,)]


# --- the commands ------------------------------------------------------------------------------------------


def test_the_commands(project: Project, urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(urls[0], project)
    monkeypatch.chdir(project.folder)
    file = str(tmp_path / "app.jsonl.gz")
    done = diglot("export", file, "--database-url", urls[0])
    assert (done.code, done.err) == (0, "")
    assert "exported 38 rows of 3 tables" in done.out
    imported = diglot("import", file, "--database-url", urls[1])
    assert (imported.code, imported.out) == (0, "imported 38 rows: 38 changed, 0 set aside\n")
    refused = diglot("export", str(tmp_path / "x.jsonl"), "--workflow", "w1", "--database-url", urls[0])
    assert refused.code == 2
    assert "--workflow is for the state store" in refused.err
    lines = gzip.decompress(Path(file).read_bytes()).splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:-1]))
    cut = diglot("import", str(tmp_path / "cut.jsonl"), "--database-url", urls[1])
    assert cut.code == 1
    assert f"cut.jsonl:{len(lines)}: the file ends here: it is truncated" in cut.err
    missing = diglot("import", str(tmp_path / "none.jsonl"), "--database-url", urls[1])
    assert (missing.code, missing.err.count("\n")) == (1, 1)


def test_exports_an_execution_of_the_state_store(db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diglot.statestore.models import TaskState, WorkflowState

    if db.store.location == ":memory:":
        pytest.skip("another process can't read it")
    monkeypatch.chdir(tmp_path)
    for name in ("w1", "w2"):
        db.workflows.upsert(WorkflowState(workflow_exec_id=name, workflow_id="flow", status="RUNNING"))
        db.tasks.upsert(
            TaskState(
                task_exec_id=f"{name}-t",
                task_id="t",
                workflow_exec_id=name,
                workflow_id="flow",
                component="task",
                status="RUNNING",
            )
        )
    monkeypatch.setenv("DATABASE_URL", _url(db))
    done = diglot("export", "w1.jsonl", "--workflow", "w1")
    assert (done.code, done.out) == (0, "w1.jsonl: exported 2 rows of 2 tables\n")
    rows = [json.loads(line)["row"] for line in lines_of(Path("w1.jsonl"))[1:-1]]
    assert {row["workflow_exec_id"] for row in rows} == {"w1"}


def _url(db: Any) -> str:
    settings = db.store.settings
    if db.store.dialect == "sqlite":
        return f"sqlite:///{settings.path}"
    return f"postgresql://{settings.user}@/{settings.dbname}?host={settings.host}&port={settings.port}"
