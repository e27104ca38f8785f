"""The report in a real browser: no error, no request, and the gallery and the table work."""

import importlib.util
import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from scipy.ndimage import gaussian_filter

from cryopair.comparison.methods import Folder
from cryopair.comparison.page import compare
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs
from cryopair.report.page import write_report

TABBED = 60  # presses of the Tab key that lead to any part of the page
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="NO BROWSER: chromium is not on PATH, the report's script is NOT tested"
)
SESSION = Path(__file__).parents[1] / "unit/report/conftest.py"

# What a reader does, one after the other; what is seen goes into the page's title.
READER = """
<script>
addEventListener("load", async () => {
  const seen = [];
  const see = (name, value) => seen.push(name + ": " + value);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const visible = () => all(".view").filter((v) => v.offsetParent).map((v) => v.id).join();
  const column = (n) => all("#micrographs-table tbody tr").map((row) => row.cells[n].textContent).join();
  const heading = (n) => all("#micrographs-table thead button")[n];
  const frame = () => one(".view:not([hidden]) .viewer");
  const picks = () => frame().querySelector(".picks").getClientRects().length > 0;
  const clip = (name) => getComputedStyle(frame().querySelector(`[data-layer=${name}]`)).clipPath;
  const tags = () => [...frame().querySelectorAll(".tag")].map((tag) => tag.textContent).join();
  const press = (key) => frame().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const pointer = (type, x, y) => {
    const box = frame().getBoundingClientRect();
    const at = { clientX: box.left + x * box.width, clientY: box.top + y * box.height, pointerId: 1, isPrimary: true };
    frame().dispatchEvent(new PointerEvent(type, { ...at, bubbles: true }));
  };
  const wheel = (more) => {
    const event = new WheelEvent("wheel", { deltaY: -400, bubbles: true, cancelable: true, ...more });
    frame().dispatchEvent(event);
    return event.defaultPrevented;
  };
  Element.prototype.setPointerCapture = () => {}; // which is for real pointers only
  see("first", visible());
  one("input[value=view-1]").click();
  see("chosen", visible());
  see("picks", picks());
  one("#show-picks").click();
  see("picks", picks());

  see("panes", tags());
  const range = frame().parentElement.querySelector("input[type=range]");
  range.value = 20;
  range.dispatchEvent(new Event("input"));
  see("raw", clip("raw"));
  see("denoised", clip("denoised"));
  see("residual", clip("residual"));
  pointer("pointerdown", 0.67, 0.5);
  pointer("pointermove", 0.9, 0.5);
  pointer("pointerup", 0.9, 0.5);
  see("dragged", clip("residual"));
  const select = one("#panes select");
  select.value = "residual";
  select.dispatchEvent(new Event("change"));
  see("panes", tags());

  document.activeElement.blur();
  see("wheel over the page", wheel({}));
  see("wheel with Ctrl", wheel({ ctrlKey: true }) && one("#zoom-level").textContent);
  one("#zoom-reset").click();
  one("#zoom-in").click();
  see("zoom", one("#zoom-level").textContent);
  frame().focus();
  press("+");
  see("zoom", one("#zoom-level").textContent);
  press("ArrowRight");
  const moved = new DOMMatrix(getComputedStyle(frame().querySelector("img")).transform);
  see("moved", Math.round((100 * moved.e) / frame().clientWidth));
  press("0");
  see("zoom", one("#zoom-level").textContent);
  press("b");
  see("before", visible());
  press("p");
  see("picks", one("#show-picks").checked);

  heading(2).click();
  see("sorted", column(0) + " " + heading(2).parentElement.getAttribute("aria-sort"));
  heading(2).click();
  see("sorted", column(0) + " " + heading(2).parentElement.getAttribute("aria-sort"));
  heading(1).focus();
  see("focus", document.activeElement === heading(1));
  const find = one(".filters input");
  find.value = "M4";
  find.dispatchEvent(new Event("input"));
  see("found", column(0) + " " + one(".filters output").textContent);
  one("#micrographs-table tbody a").click();
  see("link", visible() + " " + (document.activeElement === frame()));

  see("fits", document.documentElement.scrollWidth <= innerWidth);
  see("images", [...document.images].every((image) => image.naturalWidth > 0));
  see("names", all("input, select, button").every((c) => c.labels?.length || c.ariaLabel || c.textContent));
  addEventListener("securitypolicyviolation", (event) => {
    see("refused", event.effectiveDirective);
    document.title = seen.join("|");
  });
  new Image().src = "https://example.org/spy.png";
});
</script>
"""


def browse(page: Path, folder: Path) -> tuple[str, str]:
    """Load a page and return its title in the end and what the browser logged.

    Headless Chromium hangs on starting once in a while, with its helpers, whatever the page: then once more.
    """
    quiet = ["disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
    quiet += ["disable-component-update", "disable-sync", "enable-logging=stderr", "window-size=1200,900"]
    out, log = folder / "dom.html", folder / "log.txt"
    for attempt in ("first", "second"):
        profile = f"--user-data-dir={folder / attempt}"
        options = ["--headless", "--no-sandbox", *(f"--{option}" for option in quiet), profile]
        command = ["timeout", "60", str(CHROMIUM), *options, "--virtual-time-budget=3000", "--dump-dom", page.as_uri()]
        with out.open("w") as stdout, log.open("w") as stderr:
            code = subprocess.run(command, stdout=stdout, stderr=stderr, check=False).returncode
        if code != 124:  # that of `timeout`
            break
    assert code == 0, log.read_text()
    title = re.search(r"<title>(.*?)</title>", out.read_text(encoding="utf-8"), re.DOTALL)
    assert title is not None
    return title[1], log.read_text()


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    spec = importlib.util.spec_from_file_location("made_session", SESSION)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    monkeypatch.chdir(tmp_path)
    made.make_session()
    quality = made.OUT / "quality.csv"
    quality.write_text(quality.read_text().replace("-5.0,9.0", ",9.0"))  # the second one's raw SNR is not known
    write_report(made.OUT, model=made.MODEL)
    return tmp_path / made.OUT / "report.html"


def test_the_page_opens_without_a_word(report: Path, tmp_path: Path) -> None:
    title, log = browse(report, tmp_path)
    assert title == "cryopair report: cryopair"
    assert "CONSOLE" not in log


def test_a_reader_can_use_it(report: Path, tmp_path: Path) -> None:
    page = report.with_name("read.html")
    page.write_text(report.read_text(encoding="utf-8").replace("</body>", READER + "</body>"), encoding="utf-8")
    title, _ = browse(page, tmp_path)
    assert title.split("|") == [
        "first: view-6",  # the median is shown first
        "chosen: view-1",
        "picks: false",  # picks come when asked for
        "picks: true",
        "panes: raw,denoised,residual",
        "raw: inset(0px 80% 0px 0%)",
        "denoised: inset(0px 33% 0px 20%)",
        "residual: inset(0px 0% 0px 67%)",
        "dragged: inset(0px 0% 0px 90%)",
        "panes: residual,denoised,raw",  # the two change places
        "wheel over the page: false",  # it scrolls
        "wheel with Ctrl: 272 %",
        "zoom: 150 %",
        "zoom: 225 %",
        "moved: -73",  # from the middle, -62.5 %, by ten more
        "zoom: 100 %",
        "before: view-6",
        "picks: false",
        "sorted: 4,1,6,3,5,2 ascending",  # by raw SNR, the unknown one last
        "sorted: 5,3,6,1,4,2 descending",  # the other way, the unknown one still last
        "focus: true",  # headings take the keyboard's focus
        "found: 4 1 of 6 rows",
        "link: view-4 true",
        "fits: true",  # nothing is wider than the window
        "images: true",  # all are shown
        "names: true",  # controls have names for screen readers
        "refused: img-src",  # the page's own policy refuses what is not in the page
    ]


def tab_to(browser: Browser, wanted: str) -> None:
    """Press the Tab key until an element that a selector is for has the focus."""
    for _ in range(TABBED):
        browser.press("Tab")
        if browser.value(f"document.activeElement.matches({wanted!r})"):
            return
    pytest.fail(f"the Tab key does not lead to {wanted}")


def test_a_reader_needs_no_mouse(report: Path, tmp_path: Path) -> None:
    with Browser(str(CHROMIUM), tmp_path) as browser:
        browser.open(report)
        tab_to(browser, ".viewer")
        browser.press("n", "+")
        assert browser.value("document.querySelector('.view:not([hidden])').id") == "view-1"
        assert browser.value("document.getElementById('zoom-level').textContent") == "150 %"
        assert browser.value("document.activeElement.closest('.view').id") == "view-1"
        tab_to(browser, "#micrographs-by-bias_db")
        browser.press("Enter")
        assert browser.value("document.activeElement.parentElement.ariaSort") == "ascending"
        browser.press("Enter")
        assert browser.value("document.querySelector('#micrographs-table tbody th').dataset.value") == "Movies/m4"
        tab_to(browser, "#micrographs-table tbody a")
        browser.press("Enter")  # the link of the fourth leads to its images
        assert browser.value("document.activeElement.closest('.view').id") == "view-4"
        browser.wait_for("document.activeElement.getBoundingClientRect().top < innerHeight")  # the page glides there
        assert browser.said == []


def test_a_live_report_is_read_again_in_place(report: Path, tmp_path: Path) -> None:
    """A newer report comes into the open page, and what the reader was looking at stays."""
    # A browser moves a page by some pixels when what is above changes: what counts is where it was when it was left.
    note = "addEventListener('pagehide', () => sessionStorage.setItem('left at', scrollY))"
    place = "[scrollY, Number(sessionStorage.getItem('left at'))]"
    seen = """JSON.stringify({
      view: document.querySelector(".view:not([hidden])").id,
      zoom: document.getElementById("zoom-level").textContent, picks: document.getElementById("show-picks").checked,
      left: document.querySelector("#panes select").value, find: document.querySelector(".filters input").value,
      sorted: document.querySelector("[aria-sort]").textContent + document.querySelector("[aria-sort]").ariaSort,
      focus: document.activeElement.id,
      running: document.getElementById("refresh") !== null})"""
    output, model = report.parent.relative_to(tmp_path), next(report.parent.glob("models/*")).relative_to(tmp_path)
    write_report(output, model=model, live=1)
    with Browser(str(CHROMIUM), tmp_path) as browser:
        browser.open(report)
        browser.value("document.getElementById('choose-1').click()")
        browser.value("document.getElementById('zoom-in').click()")
        browser.value("document.getElementById('show-picks').click()")
        browser.value(
            "(s => { s.value = 'residual'; s.dispatchEvent(new Event('change')) })"
            "(document.querySelector('#panes select'))"
        )
        browser.value(
            "(f => { f.value = 'm'; f.dispatchEvent(new Event('input')) })(document.querySelector('.filters input'))"
        )
        browser.value("document.getElementById('micrographs-by-bias_db').click()")
        browser.value("document.getElementById('micrographs-by-bias_db').focus()")
        browser.value(f"window.first = true; {note}; scrollTo({{ top: 700, behavior: 'instant' }})")
        before = browser.value(seen)
        assert "view-1" in before and "residual" in before and "ascending" in before

        browser.wait_for("window.first === undefined && document.readyState === 'complete'")
        now, left = browser.value(place)
        assert now == left > 690
        assert browser.value(seen) == before

        quality = report.with_name("quality.csv")
        quality.write_text(quality.read_text().replace("-7.0,7.5", "-7.0,27.5"))
        write_report(output, model=model, live=1)
        browser.wait_for("document.readyState === 'complete' && document.body.innerText.includes('27.5')")
        assert browser.value(seen) == before

        write_report(output, model=model)  # the session has ended
        browser.wait_for("document.readyState === 'complete' && document.getElementById('refresh') === null")
        assert browser.value(seen) == before.replace('"running":true', '"running":false')
        browser.value("window.last = true")
        asked_for = len(browser.asked_for)
        time.sleep(2.5)  # in which it would have been read twice
        assert browser.value("window.last") and len(browser.asked_for) == asked_for
        assert browser.said == []
        outside = {url for url in browser.asked_for if not url.startswith("data:")}
        assert outside == {report.as_uri()}


def test_a_comparison_opens_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    for half in ("_EVN", "_ODD"):
        image = rng.normal(100, 2, (128, 160))
        write_mrc(f"halves/a{half}.mrc", image, pixel_size=4)
        write_mrc(f"theirs/a{half}.mrc", gaussian_filter(image, 2), pixel_size=4)
    columns = {"rlnMicrographName": "a.mrc", "rlnOpticsGroup": 1}
    columns |= {"rlnMicrographNameEven": "halves/a_EVN.mrc", "rlnMicrographNameOdd": "halves/a_ODD.mrc"}
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [4.0]})
    micrographs = Micrographs(optics, Table({label: [value] for label, value in columns.items()}))
    compare(micrographs, [Folder("theirs", Path("theirs"))], out=Path("out"))
    title, log = browse(tmp_path / "out/compare.html", tmp_path)
    assert title == "cryopair compare"
    assert "CONSOLE" not in log
