"""The page in a real browser: search, links, folding, keys, themes, narrow and printed, without any network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from diglot.catalogue.entries import Catalogue
from diglot.catalogue.page import page as html_of
from tests.catalogue.browser import NOT_FOUND, Opened, chromium, started

pytestmark = pytest.mark.browser
WIDE = {"width": 1400, "height": 900}
NARROW = {"width": 390, "height": 844}
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip(NOT_FOUND)
    with started(path) as browser:
        yield browser


@pytest.fixture(scope="module")
def file(found: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "a page.html"
    path.write_text(html_of(found), "utf-8")
    return path


@pytest.fixture
def open_page(browser: Browser, file: Path) -> Iterator[Open]:
    """Opens the page; at the end of each test nothing was complained of, and nothing asked of the network."""
    opened: list[Opened] = []

    def open_page(fragment: str = "", **window: object) -> Page:
        opened.append(Opened(browser, file, fragment, **{"viewport": WIDE, **window}))
        return opened[-1].page

    yield open_page
    for each in opened:
        hurt = each.page.evaluate("window.hurt")
        each.context.close()
        assert each.complaints == []
        assert {url.partition("#")[0] for url in each.requests if not url.startswith("data:")} == {each.address}
        assert hurt is None, "a text of the catalogue was run as a script"


def shown(page: Page) -> list[str]:
    return [str(each.get_attribute("id")) for each in page.locator(".entry:visible").all()]


def in_contents(page: Page) -> list[str]:
    return page.locator("#contents li:visible a").all_inner_texts()


ALL = [
    "customers.get_customer",
    "customers.find_customer",
    "customers.get_customers",
    "orders.list_orders",
    "orders.search_notes",
    "orders.add_order",
    "orders.delete_customer",
    "orders.lock_orders",
    "table--3c--2f-code-3e--3c-b-3e-odd",
    "table-customers",
    "table-orders",
]


SEEN = """(ids) => {
    const seen = [...document.querySelectorAll('.entry')].filter((each) => each.checkVisibility());
    return JSON.stringify(ids) === JSON.stringify(seen.map((each) => each.id));
}"""
SEARCHES = {
    "LIST_ord": ["orders.list_orders", "table-orders"],
    "several customers": ["customers.get_customers"],
    "fk_orders_customer_id": ["table-orders"],
    "json_each": ["customers.get_customers"],
    "<img onerror": ["orders.search_notes"],
    "nothing has this": [],
}


def test_search_shows_what_has_all_the_words(open_page: Open) -> None:
    page = open_page()
    for words, expected in SEARCHES.items():
        page.fill("#sought", words)
        page.wait_for_function(SEEN, arg=expected)
        expect(page.locator("#found")).to_have_text(f"{len(expected)} of {len(ALL)}")
        assert len(in_contents(page)) == len(expected)
        expect(page.locator("#nothing")).to_be_visible(visible=not expected)
        assert (page.evaluate("CSS.highlights.get('found').size") > 0) is bool(expected), "what was found is coloured"
    page.fill("#sought", "")
    expect(page.locator("#found")).to_have_text("")
    assert shown(page) == ALL


KINDS = {
    "differing": ["customers.get_customers", "orders.lock_orders"],
    "reads": [name for name in ALL[:8] if name not in ("orders.add_order", "orders.delete_customer")],
    "writes": ["orders.add_order", "orders.delete_customer"],
}


def test_the_kinds_of_queries_can_be_chosen(open_page: Open) -> None:
    page = open_page()
    for kind, expected in KINDS.items():
        page.get_by_text(kind, exact=True).click()
        assert shown(page) == expected
    page.keyboard.press("Escape")
    assert shown(page) == ALL


def test_every_link_leads_to_something_that_is_seen(open_page: Open) -> None:
    page = open_page()
    links = page.evaluate("[...new Set([...document.querySelectorAll('a')].map((link) => link.getAttribute('href')))]")
    assert len(links) > len(ALL)
    for link in links:
        page.evaluate("(link) => { location.hash = link; }", link)
        assert page.evaluate("document.querySelector(':target') !== null"), link
        box = page.locator(":target").bounding_box()
        assert box is not None, link
        assert box["y"] < WIDE["height"], link


@pytest.mark.parametrize(
    ("window", "fragment"),
    [(WIDE, "#orders.list_orders.plan"), (NARROW, "#orders.list_orders"), (NARROW, "#table-orders.constraints")],
)
def test_a_deep_link_opens_its_section_and_goes_there(open_page: Open, window: dict[str, int], fragment: str) -> None:
    page = open_page(fragment, viewport=window)
    target = page.locator(f"[id='{fragment[1:]}']")
    expect(target).to_have_attribute("open", "")
    expect(target).to_be_in_viewport()
    assert target.evaluate("(it) => it.closest('.entry').open")
    top, bar = target.bounding_box(), page.locator("nav").bounding_box()
    assert top is not None
    assert bar is not None
    assert window is WIDE or top["y"] >= bar["y"] + bar["height"], "it stands behind the bar"


def test_a_link_to_what_the_search_hides_clears_the_search(open_page: Open) -> None:
    page = open_page()
    page.fill("#sought", "add_order")
    expect(page.locator("[id='orders.list_orders']")).to_be_hidden()
    page.evaluate("() => { location.hash = '#orders.list_orders'; }")
    expect(page.locator("[id='orders.list_orders']")).to_be_visible()
    expect(page.locator("#sought")).to_have_value("")


def test_the_keyboard_is_enough(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("/")
    expect(page.locator("#sought")).to_be_focused()
    page.keyboard.type("customers.get")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#customers.get_customer$"))
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile("#customers.get_customers$"))
    page.keyboard.press("k")
    expect(page).to_have_url(re.compile("#customers.get_customer$"))
    page.keyboard.press("Escape")
    assert shown(page) == ALL
    page.keyboard.press("Enter")  # on the summary that has the focus
    assert page.locator("[id='customers.get_customer']").get_attribute("open") is None


def test_all_sections_fold_and_unfold(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("button", name="Fold all", exact=True).click()
    assert page.locator(".entry[open]").count() == 0
    page.get_by_role("button", name="Unfold all").click()
    assert page.locator(".entry[open]").count() == len(ALL)


def test_a_text_is_copied_as_it_stands_in_its_file(open_page: Open) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    leaf = page.locator("[id='customers.get_customers'] .leaf.sqlite").first
    assert leaf.locator(".gap").count() == 1
    leaf.get_by_role("button", name="Copy").click()
    expect(leaf.get_by_role("button")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    of_ids = "where id in (select wanted.value from json_each(:ids) as wanted);"
    assert copied == f"select id, name\nfrom customers\n{of_ids}\n"


def test_lines_stay_beside_each_other_where_one_of_them_is_wrapped(open_page: Open) -> None:
    page = open_page("#customers.get_customers", viewport={"width": 840, "height": 900})
    left, right = page.locator("[id='customers.get_customers'] .spread").first.evaluate(
        """(spread) => [...spread.querySelectorAll('.leaf')].map((leaf) =>
            [...leaf.querySelectorAll('.line')].map((line) => {
                const text = document.createRange();
                text.selectNodeContents(line);
                const tops = new Set([...text.getClientRects()].map((part) => part.top));
                return [line.getBoundingClientRect().top, tops.size > 1];
            }))"""
    )
    assert [top for top, _ in left] == [top for top, _ in right]
    tops = [top for top, _ in left]
    assert tops == sorted(set(tops)), "no line stands on another"
    assert len(tops) == 4
    assert right[2][1], "the long line is not wrapped here: choose a narrower window"
    assert not left[2][1]


def test_a_narrow_page_is_never_scrolled_sideways(open_page: Open) -> None:
    page = open_page(viewport=NARROW)
    page.evaluate("for (const part of document.querySelectorAll('main details')) part.open = true;")
    width = page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
    assert width <= NARROW["width"]


def test_on_a_narrow_page_the_sides_are_stacked(open_page: Open) -> None:
    page = open_page("#customers.get_customers", viewport=NARROW)
    boxes = [leaf.bounding_box() for leaf in page.locator("[id='customers.get_customers'] .leaf:visible").all()]
    assert len(boxes) == 2
    expect(page.locator("[id='customers.get_customers'] .gap")).to_be_hidden()
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["x"] == boxes[1]["x"]
    assert boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"]


def lightness(page: Page, name: str, of: str = "body") -> float:
    """From 0 (black) to 1 (white), as it is drawn."""
    return float(
        page.evaluate(
            """([name, of]) => {
                const paint = document.createElement('canvas').getContext('2d');
                paint.fillStyle = getComputedStyle(document.querySelector(of))[name];
                paint.fillRect(0, 0, 1, 1);
                return paint.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((a, b) => a + b) / 765;
            }""",
            [name, of],
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_that_of_the_system_until_another_is_chosen(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)

    def is_dark() -> bool:
        return lightness(page, "backgroundColor", "html") < 0.3 and lightness(page, "color") > 0.7

    assert is_dark() is (scheme == "dark")
    page.get_by_role("button", name="Light" if scheme == "dark" else "Dark", exact=True).click()
    assert is_dark() is (scheme == "light")
    kept = page.evaluate("localStorage.getItem('diglot-theme')")
    assert kept == ("light" if scheme == "dark" else "dark")
    page.add_init_script(
        f"localStorage.setItem('diglot-theme', '{kept}')"
    )  # a reload may come before the browser has it
    page.reload()
    assert is_dark() is (scheme == "light"), "what was chosen is kept"


def test_all_is_printed_whatever_is_folded_and_the_contents_are_not(open_page: Open) -> None:
    page = open_page(viewport=NARROW, color_scheme="dark")
    expect(page.locator("[id='orders.list_orders'] .sql").first).to_be_hidden()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details:not([open])").count() == 0
    expect(page.locator("nav")).to_be_hidden()
    for text in page.locator("main .sql, main .plan").all():
        expect(text).to_be_visible()
    assert lightness(page, "color") < 0.3
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("[id='orders.list_orders'] .sql").first).to_be_hidden()


def test_without_script_everything_is_there_and_open(open_page: Open) -> None:
    page = open_page(java_script_enabled=False, viewport=NARROW)
    assert shown(page) == ALL
    expect(page.locator("#search")).to_be_hidden()
    expect(page.locator("[id='orders.list_orders'] .sql").first).to_be_visible()


def test_a_script_that_is_not_ours_is_refused(browser: Browser, file: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    text = file.read_text("utf-8")
    changed.write_text(text.replace("</main>", "</main><script>window.hurt = 3</script><p style='color: red'>x</p>"))
    with Opened(browser, changed) as opened:
        assert opened.page.evaluate("window.hurt") is None
        assert len([each for each in opened.complaints if "Content Security Policy" in each]) == 2
