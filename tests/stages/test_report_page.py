"""What only a browser can tell of the report's page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ptyrun.stages.report import report
from tests.stages import browser, finished_run

# Relative luminance and contrast of WCAG 2.1, of a colour of the page on its paper.
CONTRAST = """(() => {
  const style = getComputedStyle(document.documentElement);
  const luminance = name => {
    const hex = style.getPropertyValue(name).trim().slice(1);
    const parts = [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16) / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const [a, b] = [luminance('INK'), luminance('--paper')];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
})()"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Tab]:
    if browser.EXECUTABLE is None:
        pytest.skip("no Chromium: install it (Debian: apt-get install chromium)")
    folder = tmp_path_factory.mktemp("page")
    run = finished_run.write(folder / "run", mismatch="of another scan", notes=["a note"])
    with browser.open_browser(folder / "profile") as tab:
        tab.open(report(run.root).html)
        yield tab


def test_nothing_is_complained_about_and_nothing_fetched(tab: browser.Tab) -> None:
    complaints = tab.named("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    assert complaints == []
    urls = [event["request"]["url"] for event in tab.named("Network.requestWillBeSent")]
    assert [url[:5] for url in urls] == ["file:", *(["data:"] * (len(urls) - 1))]


def test_every_picture_is_loaded(tab: browser.Tab) -> None:
    loaded = tab.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
    assert len(loaded) > 20
    assert all(loaded)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_screen_needs_scrolling_sideways(tab: browser.Tab, width: int) -> None:
    tab.resize(width, 844, mobile=width < 500)
    assert tab.evaluate("document.documentElement.scrollWidth") == width


IN_ROWS = """(() => {
  const row = document.querySelector('.pictures');
  const rows = {};
  const copies = [...Array(COUNT)].map(() => row.firstElementChild.cloneNode(true));
  const own = [...row.children];
  row.replaceChildren(...copies);
  for (const each of row.children) {
    const top = Math.round(each.getBoundingClientRect().top);
    rows[top] = (rows[top] || 0) + 1;
  }
  row.replaceChildren(...own);
  return Object.values(rows);
})()"""


@pytest.mark.parametrize("width", [900, 1000, 1152, 1280, 1600])
@pytest.mark.parametrize("count", range(2, 10))
def test_no_picture_stands_alone_in_its_row(tab: browser.Tab, count: int, width: int) -> None:
    tab.resize(width, 844)
    rows = tab.evaluate(IN_ROWS.replace("COUNT", str(count)))
    assert sum(rows) == count
    assert min(rows) > 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_paper(tab: browser.Tab, scheme: str) -> None:
    tab.colour_scheme(scheme)
    for ink in ("--ink", "--faint", "--link", "--alarm", "--best"):
        assert tab.evaluate(CONTRAST.replace("INK", ink)) >= 4.5, ink


def test_a_picture_is_enlarged_by_its_address_where_no_script_runs(tab: browser.Tab) -> None:
    tab.resize(1280, 800)
    width = "document.querySelector('#amplitude-pinn .frame').clientWidth"
    small = tab.evaluate(width)
    tab.evaluate("location.hash = '#amplitude-pinn'")
    assert tab.evaluate(width) > 2 * small
    tab.evaluate("document.querySelector('#amplitude-pinn .close').click()")
    assert tab.evaluate(width) == small


LAID = """new Promise(done => setTimeout(() => {
  const [under, over] = document.querySelectorAll('.stage img');
  const viewer = document.getElementById('viewer');
  done({
    open: viewer.open, mode: viewer.dataset.mode,
    names: document.querySelector('#viewer .names').textContent, width: under.clientWidth,
    clip: over.style.clipPath, hidden: over.hidden, src: [under.src.length, over.src.length],
  });
}, 300))"""


def test_pictures_open_large_with_a_slider_by_turns_and_zoomed(tab: browser.Tab) -> None:
    tab.resize(1280, 800)
    tab.evaluate("document.querySelector('#phase-pinn .zoom').click()")
    seen = tab.evaluate(LAID)
    assert (seen["open"], seen["mode"]) == (True, "slider")
    assert seen["names"] == "PtychoPINN | Ground truth"
    assert seen["width"] > 400
    assert "50%" in seen["clip"]
    tab.evaluate("document.querySelector('[data-zoom=\"1.5\"]').click()")
    assert tab.evaluate(LAID)["width"] == pytest.approx(1.5 * seen["width"], abs=2)
    tab.evaluate("document.querySelector('[data-set=one]').click()")
    assert tab.evaluate(LAID)["hidden"] is True
    tab.evaluate("document.querySelector('[data-set=blink]').click()")
    turns = {(look := tab.evaluate(LAID))["hidden"]: look["names"] for _ in range(12)}
    assert turns == {True: "PtychoPINN", False: "Ground truth"}
    tab.evaluate("document.getElementById('viewer').close()")
    assert tab.evaluate(LAID)["open"] is False


def test_it_prints(tab: browser.Tab) -> None:
    printed = tab.pdf()
    assert printed.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12
