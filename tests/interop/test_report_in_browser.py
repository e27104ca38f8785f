"""The report in a real browser: no error, no request, and the gallery and the table work."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cryopair.report.page import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="NO BROWSER: chromium is not on PATH, the report's script is NOT tested"
)
SESSION = Path(__file__).parents[1] / "unit/report/conftest.py"

# What a reader does, one after the other; what is seen goes into the page's title.
READER = """
<script>
addEventListener("load", () => {
  const seen = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const visible = () => all(".view").filter((v) => v.offsetParent).map((v) => v.id).join();
  const column = (n) => all("#table tbody tr").map((row) => row.cells[n].textContent).join();
  const heading = (n) => all("#table thead button")[n];
  const picks = () => document.querySelector(".view:not([hidden]) .picks").getClientRects().length > 0;
  seen.push(visible());
  document.querySelector("input[value=view-5]").click();
  seen.push(visible(), picks());
  document.getElementById("show-picks").click();
  seen.push(picks());
  const range = document.querySelector("#view-5 input[type=range]");
  range.value = 20;
  range.dispatchEvent(new Event("input"));
  seen.push(getComputedStyle(document.querySelector("#view-5 .over")).clipPath);
  heading(2).click();
  seen.push(column(0), heading(2).parentElement.getAttribute("aria-sort"));
  heading(2).click();
  seen.push(column(0), heading(2).parentElement.getAttribute("aria-sort"));
  heading(1).focus();
  seen.push(document.activeElement === heading(1));
  seen.push(document.documentElement.scrollWidth <= innerWidth);
  seen.push([...document.images].every((image) => image.naturalWidth > 0));
  addEventListener("securitypolicyviolation", (event) => {
    document.title = [...seen, event.effectiveDirective].join("|");
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
        "view-3",  # the median is shown first
        "view-5",
        "false",  # picks come when asked for
        "true",
        "inset(0px 0px 0px 20%)",
        "4,1,6,3,5,2",  # by raw SNR, the unknown one last
        "ascending",
        "5,3,6,1,4,2",  # the other way, the unknown one still last
        "descending",
        "true",  # headings take the keyboard's focus
        "true",  # nothing is wider than the window
        "true",  # all images are shown
        "img-src",  # the page's own policy refuses what is not in the page
    ]
