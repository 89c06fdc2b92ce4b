"""The page: complete in itself, the same bytes for the same catalogue, and nothing that is shown becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import date
from html.parser import HTMLParser

import pytest

from diglot.catalogue.entries import Entry, PlanText
from diglot.catalogue.facing import alone
from diglot.catalogue.page import anchor, page
from diglot.drift import Difference, DriftResult
from diglot.drift.settings import Allowed
from tests.catalogue.shop import catalogue_of, entry, everything, side

ADDRESSES = {"href", "src", "srcset", "action", "data", "poster", "formaction"}


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._of: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._of.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.tags if "id" in attributes]

    def links(self) -> list[str]:
        return [str(attributes["href"]) for tag, attributes in self.tags if tag == "a"]

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></pre></code><b>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&amp;",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text: str) -> None:
    plain, hostile = (page(everything(each)) for each in ("plain", text))
    assert Page(hostile).count("script") == Page(plain).count("script") == 1
    assert [tag for tag, _ in Page(hostile).tags] == [tag for tag, _ in Page(plain).tags]
    assert "".join(Page(hostile).texts).count(text) >= 12
    for tag, attributes in Page(hostile).tags:
        assert not [name for name in attributes if name.startswith("on")], tag


def test_every_link_leads_somewhere_and_every_id_is_there_once() -> None:
    html = Page(page(everything('a b"<c>')))
    ids = html.ids()
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in html.links()} <= set(ids)
    assert len(html.links()) > 10


def test_nothing_is_loaded_from_anywhere() -> None:
    html = Page(page(everything("plain")))
    addresses = [v or "" for _, attributes in html.tags for name, v in attributes.items() if name in ADDRESSES]
    assert addresses
    assert all(address.startswith(("#", "data:image/svg+xml,")) for address in addresses)
    text = page(everything("plain"))
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import\(", text)


def test_its_policy_allows_its_own_style_and_script_and_nothing_else() -> None:
    text = page(everything("plain"))
    (policy,) = [a["content"] for t, a in Page(text).tags if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'{hashed(text, 'style')}'",
        "script-src": f"'{hashed(text, 'script')}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not [tag for tag, attributes in Page(text).tags if "style" in attributes]
    before = text.partition("Content-Security-Policy")[0]
    assert "<style" not in before
    assert "<script" not in before


def hashed(text: str, tag: str) -> str:
    """What a browser takes the hash of: all between the tags."""
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def test_the_same_catalogue_gives_the_same_bytes() -> None:
    assert page(everything("plain")) == page(everything("plain"))


def test_characters_that_hide_or_turn_text_around_are_shown_by_number() -> None:
    text = page(everything("a\u202eb\u200bc\x1b"))
    assert not set("\u202e\u200b\x1b") & set(text)
    assert "aU+202Ebu+200B".casefold() in text.replace("\N{SYMBOL FOR SUBSTITUTE}", "").casefold()


def test_a_reason_stands_once_where_both_headers_say_it_and_with_its_dialect_where_not() -> None:
    both = entry("a.one", postgres=side(notes={"plan": "same"}), sqlite=side(notes={"plan": "same"}))
    one = entry("a.two", postgres=side(), sqlite=side(notes={"differs": "no row locks"}))
    assert facts(both)["Plan"] == "same"
    assert facts(one)["Differs"] == "SQLite no row locks"


def facts(one: Entry) -> dict[str, str]:
    """The facts of a query as they are read: label → text."""
    html = page(catalogue_of(one))
    pairs = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", html, re.DOTALL)
    return {label: " ".join(re.sub("<[^>]+>", "", text).split()) for label, text in pairs}


@pytest.mark.parametrize(("notes", "expected"), [({}, "problem"), ({"plan": "scan because it is small"}, "allowed")])
def test_a_scan_stands_out_unless_its_header_says_why(notes: dict[str, str], expected: str) -> None:
    plan = PlanText("", "Seq Scan on t", ["scan of t: no index"])
    html = page(catalogue_of(entry("a.one", postgres=side(plans=[plan], notes=notes))))
    assert re.findall(r'<p class="(\w+)">scan of t: no index', html) == [expected]


def test_a_query_of_one_dialect_says_so() -> None:
    html = page(catalogue_of(entry("a.one", postgres=side(lines=alone("select 1")))))
    assert "one dialect only" in html
    assert "This dialect does not have the query." in html


DIFFERENCE = Difference("index", "t", "i", "(a)", None, "only on the left: (a)")
ALLOWED = Allowed("index", "t", "i", "(a)", None, "only on the left: (a)", "GIN is PostgreSQL's", date(2027, 6, 30))


@pytest.mark.parametrize(
    ("differences", "allowed", "first", "below"),
    [
        ([], [], "the schemas are equivalent", "The two schemas are equivalent."),
        ([], [ALLOWED], "the schemas are equivalent", "except for the allowed differences"),
        ([DIFFERENCE], [], "the schemas differ in 1 place", "only on the left: (a)"),
        ([DIFFERENCE] * 2, [ALLOWED], "the schemas differ in 2 places", "GIN is PostgreSQL&#39;s (until 2027-06-30)"),
    ],
)
def test_the_drift_is_told_in_the_first_sentence_and_in_its_section(
    differences: list[Difference], allowed: list[Allowed], first: str, below: str
) -> None:
    html = page(catalogue_of(drift=DriftResult("", "", differences, allowed)))
    (lead,) = re.findall(r'<p class="lead">(.*?)</p>', html)
    assert first in lead
    assert below in html.partition('id="drift"')[2]


@pytest.mark.parametrize(("name", "expected"), [("tasks.get_task", "tasks.get_task"), ('a "b"', "a-20--22-b-22-")])
def test_an_anchor_needs_no_escape(name: str, expected: str) -> None:
    assert anchor(name) == expected
