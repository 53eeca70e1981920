"""The scripts of a page as a reader meets them: requests that fail, what is heard, paper, the search for Chinese."""

import browser
import pytest

pytestmark = pytest.mark.xdist_group("build")
ONE = "part/one.html"


@pytest.fixture(scope="module")
def server(little_site):
    with browser.serve(little_site.out, {}) as origin:
        yield origin


@pytest.fixture
def page(chromium):
    page = chromium.new_context(viewport=browser.DESKTOP).new_page()
    page.set_default_timeout(10_000)
    yield page
    page.context.close()


def fail_once(page, address):
    """Let the first request for an address fail; return the list of those that came."""
    asked = []

    def answer(route):
        asked.append(route.request.url)
        route.abort() if len(asked) == 1 else route.continue_()

    page.route(address, answer)
    return asked


@pytest.mark.parametrize("lost", ["**/one.frames.js", "**/embed.js"])
def test_sliders_that_could_not_be_loaded_can_be_asked_for_again(page, server, lost):
    asked = fail_once(page, lost)
    page.goto(f"{server}/{ONE}")
    note = page.locator(".explorer-failed")
    note.wait_for()
    assert note.get_attribute("role") == "status" and "could not be loaded" in note.inner_text()
    assert page.locator(".explorer-still img").is_visible()
    note.locator("button").press("Enter")
    page.wait_for_selector(".explorer[data-ready]")
    assert note.count() == 0 and len(asked) == 2
    assert page.evaluate("document.activeElement.className").startswith("noUi-handle")


def test_a_lost_connection_that_comes_back_brings_the_sliders(page, server):
    fail_once(page, "**/one.frames.js")
    page.goto(f"{server}/{ONE}")
    page.wait_for_selector(".explorer-failed")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.wait_for_selector(".explorer[data-ready]")
    assert page.locator(".explorer-failed").count() == 0


def test_a_page_of_another_text_in_place_of_the_frames_is_noticed(page, server):
    page.route("**/one.frames.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(f"{server}/{ONE}")
    page.wait_for_selector(".explorer-failed")


def test_what_is_seen_is_heard(page, server):
    page.goto(f"{server}/{ONE}")
    assert browser.wake(page) == []
    handle = page.locator(".noUi-handle")
    said = page.locator(".explorer-said")
    assert (handle.get_attribute("aria-valuetext"), said.text_content()) == ("0.5", "")
    assert browser.speech_faults(page) == []
    assert handle.get_attribute("aria-valuetext") == page.locator(".widget-readout").text_content() == "1.98"
    assert said.text_content() == "Frame number 3"
    page.evaluate("document.querySelector('.explorer-said').textContent = ''")
    page.evaluate("document.querySelector('.noUi-handle').setAttribute('aria-valuetext', '3')")
    assert handle.get_attribute("aria-valuetext") == "1.98"  # whoever sets it otherwise
    page.evaluate("document.querySelector('.explorer-said').remove()")
    assert browser.speech_faults(page) == ["explorer 1 does not say what its new picture shows"]


def test_paper_is_light_and_holds_all(page, server):
    page.goto(f"{server}/{ONE}")
    assert browser.wake(page) == []
    assert browser.print_faults(page) == []


def test_faults_on_paper_are_noticed(page, server):
    page.add_init_script("window.addEventListener('beforeprint', (event) => event.stopImmediatePropagation())")
    page.goto(f"{server}/{ONE}")
    page.add_style_tag(content="@media print {html .bd-article pre {white-space: pre !important}}")
    page.evaluate("document.querySelectorAll('article details.hide').forEach((details) => (details.open = true))")
    found = browser.print_faults(page)
    assert any("<pre> are cut" in fault for fault in found), found
    assert "on paper 1 folded parts stay folded" in found  # the map of the part
    assert "on paper the text has the colours of a dark screen" in found


def test_large_text_and_fingers(page, server):
    page.goto(f"{server}/{ONE}")
    assert browser.wake(page) == []
    assert browser.large_text_faults(page) == []
    page.add_style_tag(content=".explorer .widget-slider {flex-wrap: nowrap !important}")
    assert "with large text 1 explorers are cut" in browser.large_text_faults(page)
    page.add_style_tag(content="article pre, .widget-label {font-size: 13px !important}")
    assert {"with large text code stays small", "with large text widget-label stays small"} <= {
        *browser.large_text_faults(page)
    }


FOUND = {
    "梯度": ["intro"],
    "随机梯度下降": ["intro"],
    "法": ["intro"],
    "结束": ["part/one"],
    "熵": [],
    "books": ["intro", "part/one"],
}


@pytest.mark.parametrize("query, found", FOUND.items())
def test_the_search_finds_words_within_chinese_text(page, server, query, found):
    page.goto(f"{server}/search.html?q={query}")
    page.wait_for_selector("#search-results h2:has-text('Search Results')", state="attached")
    links = page.locator("#search-results li a").evaluate_all("links => links.map((a) => a.getAttribute('href'))")
    assert sorted({link.partition(".html")[0] for link in links}) == found
