"""Facing pages: the same lines stand beside each other, and what only one side says is marked, and nothing else."""

from __future__ import annotations

import pytest

from diglot.catalogue.facing import Facing, Line, alone, facing
from diglot.statestore.database import packaged_queries


def shown(line: Line) -> str:
    """The line with its marks in brackets; ``~`` is a gap."""
    if line.gap:
        return "~"
    text = "".join(f"[{piece.text}]" if piece.marked else piece.text for piece in line.pieces)
    return text.replace("][", "")


def page(lines: list[Line]) -> list[str]:
    return [shown(line) for line in lines]


def styles(line: Line) -> list[tuple[str, str]]:
    return [(piece.text, piece.style) for piece in line.pieces if piece.style]


@pytest.mark.parametrize(
    ("left", "right", "left_shown", "right_shown"),
    [
        pytest.param("select 1;", "select 1;", ["select 1;"], ["select 1;"], id="same"),
        pytest.param("select 1", "select 1;", ["select 1"], ["select 1;"], id="a semicolon at the end says nothing"),
        pytest.param("  select 1", "select 1", ["  select 1"], ["select 1"], id="an indentation says nothing"),
        pytest.param(
            "select a\nfrom t\nfor update;",
            "select a\nfrom t;",
            ["select a", "from t", "[for update];"],
            ["select a", "from t;", "~"],
            id="a line that the right does not have",
        ),
        pytest.param(
            "select a\nfrom t",
            "select a\n    indexed by i\nfrom t",
            ["select a", "~", "from t"],
            ["select a", "    [indexed by i]", "from t"],
            id="a line that the left does not have",
        ),
        pytest.param(
            "where id = any(:ids);",
            "where id in (select w.value from json_each(:ids) as w);",
            ["where id [= any(:ids)];"],
            ["where id [in (select w.value from json_each(:ids) as w)];"],
            id="one change, however much in it is the same",
        ),
        pytest.param(
            "select a, now() as b, c",
            "select a, strftime('x') as b, c",
            ["select a, [now()] as b, c"],
            ["select a, [strftime('x')] as b, c"],
            id="what is around a change is not marked",
        ),
        pytest.param(
            "select x::text as a, b, c, d, least(e, f) as g",
            "select x as a, b, c, d, min(e, f) as g",
            ["select x[::text] as a, b, c, d, [least](e, f) as g"],
            ["select x as a, b, c, d, [min](e, f) as g"],
            id="two changes in a line",
        ),
    ],
)
def test_what_only_one_side_says_is_marked(
    left: str, right: str, left_shown: list[str], right_shown: list[str]
) -> None:
    pages = facing(left, right)
    assert page(pages.left) == left_shown
    assert page(pages.right) == right_shown
    assert pages.same is (not any("[" in line or line == "~" for line in left_shown + right_shown))


def test_every_text_of_ours_is_there_whole_and_line_beside_line() -> None:
    right = {query.source.full_name: query.source.sql for query in packaged_queries("sqlite")}
    differing = set()
    for query in packaged_queries("postgres"):
        name, text = query.source.full_name, query.source.sql
        pages = facing(text, right[name])
        assert len(pages.left) == len(pages.right)
        assert (whole(pages.left), whole(pages.right)) == (text, right[name])
        assert not any(one.gap and other.gap for one, other in zip(pages.left, pages.right, strict=True))
        if not pages.same:
            differing.add(name)
    assert {"tasks.lock_task", "tasks.get_tasks"} <= differing
    assert "tasks.get_task" not in differing


def whole(lines: list[Line]) -> str:
    return "\n".join("".join(piece.text for piece in line.pieces) for line in lines if not line.gap)


def test_a_word_is_coloured_for_what_it_is() -> None:
    line = alone("select name, 'from' as \"x\", 12, t.version /* if :id */ and id = :id /* end */ -- so")[0]
    assert styles(line) == [
        ("select", "keyword"),
        ("'from'", "string"),
        ("as", "keyword"),
        ('"x"', "name"),
        ("12", "number"),
        ("/* if :id */", "condition"),
        ("and", "keyword"),
        (":id", "parameter"),
        ("/* end */", "condition"),
        ("-- so", "comment"),
    ]


def test_both_sides_have_the_same_colours() -> None:
    text = "select status, input, version, usage, name from t where type = :type and value < 3 order by prefix, key"
    pages: Facing = facing(text, text)
    assert styles(pages.left[0]) == styles(pages.right[0])
    assert {text for text, style in styles(pages.left[0]) if style == "keyword"} >= {"select", "from", "where", "order"}


def test_a_style_and_a_mark_may_go_over_several_lines() -> None:
    pages = facing("select 'a\nb'", "select 'a\nc'")
    assert page(pages.left) == ["select 'a", "[b]'"]
    assert styles(pages.right[1]) == [("c", "string"), ("'", "string")]
