"""The same calls in the same order on every database at once: each answers the same, value for value, error for error.

A plan of a few hundred random calls is plain data; every database runs it with the same clock, the same new ids and
the same random bytes. The pools of ids are small, so that calls meet: conflicts, missing parents, moved tasks.
"""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Union

import pytest

from diglot import statestore
from diglot.errors import DiglotError, TransactionError
from diglot.statestore.database import Database
from diglot.statestore.models import EXECUTION_TYPES, STATUSES, StateError, TaskState, UsageEntry, WorkflowState
from tests.databases import POSTGRES, Databases, _new_database
from tests.parity.strategies import HOSTILE

START = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
WORKFLOWS = ["w1", "w2", "w3"]
TASKS = [f"t{i}" for i in range(8)]
ODD = [*HOSTILE, "", "\0", "\ud800", "x" * 256, None, 5]
GOOD = [None, {}, {"a": 1.0, "b": [None, True, 4.99e16]}, {"é\U0010ffff": {"": "😀"}}]
DOCUMENTS = [*GOOD * 3, {"n": 2**53}, {"x": "\0"}, [1]]
EMAILS = ["ann@x.org", "ANN@X.org", "École@x.fr", "E\u0301COLE@x.fr", "bob@x.org", "no address"]


class Everything:
    """One database, with a clock, ids and randomness that are the same for each, and what its calls have made."""

    def __init__(self, database: Database) -> None:
        self.now = START
        self.ids = 0
        self.bytes = random.Random(7)
        self.made: dict[str, list[str]] = {"users": ["nobody"], "keys": ["none"], "secrets": ["dgl_x"], "cursors": []}
        self.db = Database(
            database.store,
            database.queries,
            clock=self.clock,
            new_id=self.new_id,
            random=lambda size: self.bytes.randbytes(size),
        )

    def clock(self) -> datetime:
        # Some calls are of the same moment.
        self.now += timedelta(microseconds=self.ids % 3)
        return self.now

    def new_id(self) -> str:
        self.ids += 1
        return f"id-{self.ids * 7919 % 10007:05}"

    def remember(self, answer: object) -> None:
        for value in answer if isinstance(answer, tuple) else (answer,):
            kind = type(value).__name__
            if kind == "User":
                self.made["users"].append(value.id)
            elif kind == "IssuedKey":
                self.made["keys"].append(value.api_key.id)
                self.made["secrets"].append(value.secret)
            elif kind == "Page" and value.next is not None:
                self.made["cursors"].append(value.next)


@pytest.fixture
def everywhere(request, tmp_path, databases: Databases):
    """Every kind of database at once."""
    with ExitStack() as stack:
        opened = {}
        for kind in ("sqlite-file", "sqlite-memory", *POSTGRES):
            url = stack.enter_context(contextmanager(_new_database)(request, kind, tmp_path, migrated=True))
            opened[kind] = Everything(stack.enter_context(statestore.open(url)))
        yield opened


# --- the plan: each call is a function of a database's repositories and what that database has made ---

Call = Callable[[Any, dict[str, list[str]]], object]


def plan(seed: int, calls: int, transactions: float = 0.15) -> list[tuple[str, Call]]:
    draw = random.Random(seed)

    def pick(pool, odd=0.03):
        return draw.choice(ODD) if draw.random() < odd else draw.choice(pool)

    def maybe(make, share=0.4):
        return make() if draw.random() < share else None

    def usage():
        return [
            UsageEntry(pick(["p", "q", ""]), "m", draw.randint(-1, 9), source=draw.choice([None, "s", " S"]))
            for _ in range(draw.randint(0, 2))
        ]

    def workflow():
        error = maybe(lambda: StateError("m", details=draw.choice(DOCUMENTS)), 0.2)
        return WorkflowState(
            pick(WORKFLOWS),
            pick(["a", "b"]),
            pick(STATUSES),
            maybe(usage, 0.3),
            draw.choice(GOOD),
            draw.choice(DOCUMENTS),
            error,
            version=draw.choice([0, 1, 2, 3]),
        )

    def task():
        named = draw.choice([{}, {}, {"tool_id": "x"}, {"agent_id": "x", "action_id": "y"}, {"agent_id": "x"}])
        return TaskState(
            pick(WORKFLOWS[:2]),
            pick(TASKS),
            pick(["one", "two", "three"]),
            "a",
            "task",
            draw.choice(STATUSES),
            draw.choice(EXECUTION_TYPES[:4]),
            maybe(lambda: pick(TASKS)),
            input=draw.choice(DOCUMENTS),
            error=maybe(lambda: StateError(draw.choice(["m", 5])), 0.1),
            version=draw.choice([0, 1, 2, 3]),
            **named,
        )

    def where():
        filters = {
            "status": maybe(lambda: pick(STATUSES), 0.3),
            "workflow_exec_id": maybe(lambda: pick(WORKFLOWS), 0.3),
            "task_id": maybe(lambda: pick(["one", "two"]), 0.2),
            "parent_state_id": maybe(lambda: pick(TASKS), 0.2),
            "tool_id": maybe(lambda: "x", 0.1),
            "limit": pick([1, 3, 50, 0]),
        }
        return {**filters, "no_parent": draw.random() < 0.2}

    def transform(state):
        if len(state.tasks) % 3 == 0:
            raise ValueError(f"{len(state.tasks)} tasks")
        return {"tasks": sorted(state.tasks)} if len(state.tasks) % 3 == 1 else None

    def one() -> tuple[str, Call]:
        w, t, other = pick(WORKFLOWS), pick(TASKS), pick(TASKS)
        state, item, items = workflow(), task(), [task() for _ in range(draw.randint(0, 4))]
        used, filters, which = usage(), where(), draw.randrange(1000)
        email, role, document = draw.choice(EMAILS), pick(["admin", "user"]), draw.random() < 0.5
        pages = {"limit": pick([1, 2, 50, 1001])}

        def made(kind, things):
            return things[kind][which % len(things[kind])] if things[kind] else None

        return draw.choice(
            [
                ("workflows.upsert", lambda r, m: r.workflows.upsert(state)),
                ("workflows.upsert", lambda r, m: r.workflows.upsert(state)),
                ("workflows.save", lambda r, m: r.workflows.save(state)),
                ("workflows.get", lambda r, m: r.workflows.get(w, with_tasks=document)),
                ("workflows.get_latest", lambda r, m: r.workflows.get_latest(state.workflow_id)),
                ("workflows.find_by_task", lambda r, m: r.workflows.find_by_task("a", item.task_id)),
                ("workflows.find_by_tool", lambda r, m: r.workflows.find_by_tool("a", "x")),
                ("workflows.list", lambda r, m: r.workflows.list(state.status, with_tasks=document, **pages)),
                ("workflows.list of ids", lambda r, m: r.workflows.list(ids=[w, "w9", w])),
                ("workflows.list after", lambda r, m: r.workflows.list(after=made("cursors", m))),
                ("workflows.update_status", lambda r, m: r.workflows.update_status(w, state.status)),
                ("workflows.merge_usage", lambda r, m: r.workflows.merge_usage(w, used)),
                ("workflows.complete", lambda r, m: r.workflows.complete(w)),
                ("workflows.complete, transformed", lambda r, m: r.workflows.complete(w, transform)),
                ("workflows.delete", lambda r, m: which % 9 or r.workflows.delete(w)),
                *[("tasks.upsert", lambda r, m: r.tasks.upsert(item))] * 3,
                ("tasks.upsert_many", lambda r, m: r.tasks.upsert_many(items)),
                ("tasks.upsert_many", lambda r, m: r.tasks.upsert_many(items)),
                ("tasks.save", lambda r, m: r.tasks.save(item)),
                ("tasks.get", lambda r, m: r.tasks.get(t, w if document else None)),
                ("tasks.get_for_update", lambda r, m: r.tasks.get_for_update(t)),
                ("tasks.list", lambda r, m: r.tasks.list(**filters)),
                ("tasks.list after", lambda r, m: r.tasks.list(after=made("cursors", m), limit=2)),
                ("tasks.latest", lambda r, m: r.tasks.latest(w)),
                ("tasks.children", lambda r, m: r.tasks.children(t, **pages)),
                ("tasks.child", lambda r, m: r.tasks.child(t, item.task_id)),
                ("tasks.child_outputs", lambda r, m: r.tasks.child_outputs(t)),
                ("tasks.get_many", lambda r, m: r.tasks.get_many([t, other])),
                ("tasks.tree", lambda r, m: r.tasks.tree(t, max_depth=which % 5)),
                ("tasks.progress", lambda r, m: r.tasks.progress(t)),
                ("tasks.merge_usage", lambda r, m: r.tasks.merge_usage(t, used)),
                ("tasks.delete", lambda r, m: which % 4 or r.tasks.delete(t)),
                ("users.create", lambda r, m: r.users.create(email, role)),
                ("users.create_first_admin", lambda r, m: r.users.create_first_admin(email)),
                ("users.get", lambda r, m: r.users.get(made("users", m))),
                ("users.get_by_email", lambda r, m: r.users.get_by_email(email)),
                ("users.list", lambda r, m: r.users.list(**pages)),
                ("users.update", lambda r, m: r.users.update(made("users", m), email if document else None, role)),
                ("users.delete", lambda r, m: r.users.delete(made("users", m))),
                (
                    "api_keys.issue",
                    lambda r, m: r.api_keys.issue(made("users", m), "n" if document else None),
                ),
                ("api_keys.authenticate", lambda r, m: r.api_keys.authenticate(made("secrets", m))),
                ("api_keys.get", lambda r, m: r.api_keys.get(made("keys", m))),
                ("api_keys.list", lambda r, m: r.api_keys.list(made("users", m), **pages)),
                ("api_keys.rotate", lambda r, m: r.api_keys.rotate(made("keys", m))),
                ("api_keys.revoke", lambda r, m: which % 3 or r.api_keys.revoke(made("keys", m))),
            ]
        )

    def block(depth: int) -> Block:
        """Calls and blocks, in any order; none at all, too."""
        steps: list[Step] = []
        for _ in range(draw.randint(0, 3)):
            nested = depth < DEEPEST and draw.random() < 0.4
            steps.append(Step(block(depth + 1) if nested else one()[1], guarded=draw.random() < 0.6))
        return Block(steps, raises=draw.random() < 0.2)

    def together() -> tuple[str, Call]:
        whole = block(1)
        return f"transaction of {whole}", lambda r, m: in_block(r, m, whole)

    return [together() if draw.random() < transactions else one() for _ in range(calls)]


# --- transactions: blocks inside of blocks, in which statements fail and exceptions come and are caught ---

DEEPEST = 4
"""A transaction, and three levels of savepoints in it; the calls have some of their own."""


class Boom(Exception):
    pass


class Step(NamedTuple):
    """``guarded``: the block around it catches what it raises."""

    what: Union[Call, "Block"]
    guarded: bool


class Block(NamedTuple):
    """``raises``: at its end an exception of the caller's."""

    steps: list[Step]
    raises: bool


def in_block(session: Any, made: dict[str, list[str]], whole: Block) -> tuple[object, ...]:
    """What its calls answered, in their order, and how it ended."""
    answers: list[object] = []

    def run(outside: Any, block: Block, depth: int) -> None:
        with outside.transaction() as inside:
            for what, guarded in block.steps:
                try:
                    if isinstance(what, Block):
                        run(inside, what, depth + 1)
                        answers.append(f"a block at depth {depth + 1} ended well")
                    else:
                        answers.append(what(inside, made))
                except (DiglotError, Boom) as error:
                    answers.append(described(error))
                    if not guarded:
                        raise
            if block.raises:
                raise Boom

    try:
        run(session, whole, 1)
    except (DiglotError, Boom) as error:
        return (*answers, described(error))
    return (*answers, "committed")


def described(error: Exception) -> tuple[str, str]:
    """Its type and words. Why a transaction can't go on is told in words of the database, in brackets."""
    said = str(error)
    return type(error).__name__, said.partition("(")[0] if isinstance(error, TransactionError) else said


def outcome(one: Everything, call: Call) -> object:
    try:
        answer = call(one.db, one.made)
    except DiglotError as error:
        return described(error)
    one.remember(answer)
    return answer


def stored(one: Everything) -> object:
    """Everything that is in the database."""
    return (
        one.db.users.list(limit=1000),
        [one.db.api_keys.list(user.id) for user in one.db.users.list(limit=1000).items],
        one.db.workflows.list(limit=1000, with_tasks=True),
        one.db.tasks.list(limit=1000),
    )


@pytest.mark.postgres
@pytest.mark.parity(1, 6, 46, 52, 53, 64, 67, 71, 72, 74, 75, 77)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_database_answers_the_same(everywhere, seed):
    met: dict[str, set[bool]] = {}
    for number, (name, call) in enumerate(plan(seed, 400)):
        outcomes = {kind: outcome(one, call) for kind, one in everywhere.items()}
        first, *others = outcomes.values()
        assert all(other == first for other in others), (number, name, outcomes)
        refused = isinstance(first, tuple) and type(first[0]) is str
        met.setdefault(name.partition(" of ")[0], set()).add(refused)
    first, *others = [stored(one) for one in everywhere.values()]
    assert all(other == first for other in others)
    # The plan has met what works and what is refused, of nearly every call.
    assert len(met) > 35
    assert sum(len(both) == 2 for both in met.values()) > 15, met
    assert len(first[3].items) > 0


@pytest.mark.postgres
@pytest.mark.parity(71, 74, 75, 77)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_database_ends_the_same_transactions_the_same_way(everywhere, seed):
    ends: Counter[str] = Counter()
    # Something to work on, then nothing but transactions.
    for number, (_, call) in enumerate([*plan(seed, 60, 0.0), *plan(-seed, 100, 1.0)]):
        outcomes = {kind: outcome(one, call) for kind, one in everywhere.items()}
        first, *others = outcomes.values()
        assert all(other == first for other in others), (number, outcomes)
        if isinstance(first, tuple):
            ends.update(answer if isinstance(answer, str) else str(answer[0]) for answer in first if is_an_end(answer))
        if number % 10 == 9:
            first, *others = [stored(one) for one in everywhere.values()]
            assert all(other == first for other in others), number
    # The plan has met blocks of every depth that end well, and every way to end badly.
    wanted = {
        "committed",
        "Boom",
        "TransactionError",
        *(f"a block at depth {d} ended well" for d in range(2, DEEPEST + 1)),
    }
    assert wanted <= set(ends), ends
    assert ends["committed"] > 15


def is_an_end(answer: object) -> bool:
    return isinstance(answer, str) or (isinstance(answer, tuple) and bool(answer) and isinstance(answer[0], str))
