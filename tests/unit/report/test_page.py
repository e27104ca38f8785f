"""The page: self-contained, reproducible, safe, and whole whatever is missing."""

import csv
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from cryopair.report.captions import CAPTIONS, figures_rst
from cryopair.report.curves import Rings
from cryopair.report.data import Results, read_results
from cryopair.report.figures import rings_with_signal, snr_and_bias
from cryopair.report.live import end_live
from cryopair.report.page import draw, render_page, write_report
from cryopair.report.table import PAGE, Grid, micrograph_grid

MODEL = Path("cryopair/models/v1-0123abcd")
SECTIONS = ["numbers", "gallery", "quality", "training", "motion", "particles", "micrographs", "failures"]
SECTIONS += ["provenance"]
_VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """Collects what the tests ask about, and checks that elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.links: list[str] = []
        self.fragments: list[str] = []
        self.sections: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self._open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href"):
                others = self.links if tag == "a" else self.references
                (self.fragments if (value or "").startswith("#") else others).append(value or "")
        if tag == "section":
            self.sections.append(dict(attrs)["id"] or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(results: Results) -> str:
    return render_page(results, charts=draw(results))[0]


def test_everything_is_there(whole_page: str) -> None:
    page = Page(whole_page)
    assert page.sections == SECTIONS
    assert "Denoising works on these data." in page.text
    assert "−8.0 → 7.0 dB" in page.text  # the sixth alone was held out
    assert "(1 micrograph that the model was not trained on)" in page.text
    assert "1 of 7 failed" in page.text
    assert "15 12 px of 4 Å/px: boxes of 48 Å" in page.text
    assert "99.0 %" in page.text  # of the loss is noise: 1 - 0.0101 / 1.01


def test_nothing_is_asked_of_the_network(whole_page: str) -> None:
    page = Page(whole_page)
    beside = re.compile(r"report/tables/\w+\.csv")  # links that a reader may follow, to files beside the page
    assert all(beside.fullmatch(link) for link in page.links)
    assert page.references and all(reference.startswith("data:") for reference in page.references)
    assert not re.search(r"https?:|file:|@import|//[a-z]+\.", whole_page)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", whole_page))


def test_links_and_ids_fit(whole_page: str) -> None:
    page = Page(whole_page)
    assert [i for i, count in Counter(page.ids).items() if count > 1] == []
    assert {fragment[1:] for fragment in page.fragments} <= set(page.ids)


def test_equal_results_are_equal_bytes(session: Path, whole_page: str) -> None:
    write_report(session, model=MODEL)  # in another folder
    assert (session / "report.html").read_bytes() == whole_page.encode()
    assert not re.search(r"20\d\d-\d\d-\d\d", whole_page)


def test_names_and_reasons_are_text(whole_page: str) -> None:
    assert "Movies/&lt;m7&gt;.tiff: has 11 frames" in whole_page and "<m7>" not in whole_page


def test_picks_are_circles_of_two_thirds_of_the_box(whole_page: str) -> None:
    circles = re.findall(r'<circle cx="(\d+)" cy="(\d+)" r="([\d.]+)"', whole_page)
    assert len(circles) == 3 + 0 + 2 + 5 + 1  # the sixth is not in the gallery
    assert {radius for *_, radius in circles} == {"8.0"}  # box 24 px
    assert ("14", "20", "8.0") in circles


def _lose(*names: str) -> Callable[[Path], None]:
    def lose(output: Path) -> None:
        for name in names:
            (output / name).unlink()

    return lose


def _no_training_curve(output: Path) -> None:
    (MODEL / "training.csv").unlink()


def _no_last_figures(output: Path) -> None:
    with (MODEL / "training.csv").open("a") as stream:
        stream.write("80,0,1.0,,,\n")


def _unreadable_settings(output: Path) -> None:
    Path("config/config.yaml").write_text("source: [\n")


def _infinite_figures(output: Path) -> None:
    header, first, *rows = (output / "quality.csv").read_text().splitlines()
    first = first.split(",")[0] + ",-inf,inf,nan"
    (output / "quality.csv").write_text("\n".join([header, first, *rows]) + "\n")


def _bare_card(output: Path) -> None:
    card = json.loads((MODEL / "model.json").read_text())
    kept = ("format_version", "sha256", "architecture", "pixel_size")
    (MODEL / "model.json").write_text(json.dumps({key: card[key] for key in kept}))


def _no_figures(output: Path) -> None:
    header, *rows = (output / "quality.csv").read_text().splitlines()
    (output / "quality.csv").write_text("\n".join([header, *(row.split(",")[0] + ",,," for row in rows)]) + "\n")
    header, *rows = (output / "quality_rings.csv").read_text().splitlines()
    empty = [",".join(row.split(",")[:3]) + ",,,,,," for row in rows]
    (output / "quality_rings.csv").write_text("\n".join([header, *empty]) + "\n")


def _no_images(output: Path) -> None:
    for path in [*output.glob("denoised/**/*.mrc"), *output.glob("particles/**/*.mrcs")]:
        path.unlink()


def _no_motion(output: Path) -> None:
    for path in Path("MotionCorr").rglob("*.star"):
        path.unlink()


@pytest.mark.parametrize(
    ("change", "without", "says"),
    [
        (_lose("coordinates.star", "particles.star"), {"particles"}, "Denoising works"),
        (_lose("particles.star"), set(), "median 2.5 a micrograph"),
        (_no_training_curve, set(), "The model came without a training curve."),
        (_no_last_figures, set(), "level off. Bad would be"),
        (_unreadable_settings, set(), "Denoising works"),
        (_infinite_figures, set(), "Denoising works"),
        (_bare_card, set(), "abababababab"),
        (_lose("failed.star"), set(), "None: every micrograph came through"),
        (_no_figures, set(), "The quality was not measured."),
        (_lose("quality.csv", "quality_rings.csv"), set(), "No micrograph's signal-to-noise ratio"),
        (_no_images, {"gallery"}, "Denoising works"),
        (_no_motion, {"motion"}, "Denoising works"),
    ],
)  # fmt: skip
def test_what_is_missing_is_left_out(
    session: Path, change: Callable[[Path], None], without: set[str], says: str
) -> None:
    change(session)
    text = page_of(read_results(session, model=MODEL))
    page = Page(text)
    assert set(SECTIONS) - set(page.sections) == without
    assert says in page.text
    assert re.findall(r"\b(?:nan|inf|None)\b(?!: every)", page.text) == []
    assert not re.search(r'data-value="-?(nan|inf)"', text)


def test_long_sessions(session: Path) -> None:
    results = read_results(session, model=MODEL)
    many = [replace(results.micrographs[i % 6], number=i + 1) for i in range(2500)]
    assert len(snr_and_bias(many).svg) < 500_000
    text = page_of(replace(results, micrographs=many))
    data = re.search(r'id="micrographs-data">(.*?)</script>', text)
    assert data is not None
    columns = {column["key"]: column["values"] for column in json.loads(data[1])["columns"]}
    assert columns["number"] == list(range(1, 2501)) and columns["snr_raw_db"][:3] == [-9.0, -5.0, -7.0]
    assert text.count("<tr><td data-value=") == PAGE
    assert "Printed here is one page of 2,500 rows." in Page(text).text


def test_unknown_figures_are_dashes(session: Path) -> None:
    results = read_results(session, model=MODEL)
    lone = replace(results.micrographs[0], snr_raw=math.nan, bias=math.nan, picks=None)
    text = page_of(replace(results, micrographs=[lone, *results.micrographs[1:]]))
    row = re.search(r'<tr><td data-value="1">.*?</tr>', text)
    assert row is not None
    assert re.findall(r'<td data-value="">(.*?)</td>', row[0]) == ["–", "–", "–"]


def test_signal_ends_where_the_frc_is_noise() -> None:
    rng = np.random.default_rng(1)
    frc = np.where(np.arange(200) < 50, 0.8, 0.0) + 0.02 * rng.normal(size=(9, 200))
    same = np.ones((9, 200))
    rings = Rings(np.arange(200) / 800, frc, frc, same, same, same, same, frc)
    assert abs(rings_with_signal(rings) - 50) <= 3


def test_a_model_from_elsewhere(session: Path, tmp_path: Path) -> None:
    model = tmp_path / "other project/models/v2"
    shutil.copytree(MODEL, model)
    (model / "training.csv").unlink()
    write_report(session, model=model)
    text = Page((session / "report.html").read_text(encoding="utf-8")).text
    assert f"--model '{model}'" in text  # can be pasted into a shell
    assert "The model came without a training curve." in text


def test_micrograph_names_are_text(session: Path) -> None:
    results = read_results(session, model=MODEL)
    odd = replace(results.micrographs[2], name="MotionCorr/job002/Movies/a<b>&c.mrc")
    text = page_of(replace(results, micrographs=[odd]))
    assert "Movies/a&lt;b&gt;&amp;c" in text and "a<b>" not in text


def test_the_table_holds_the_figures_of_the_csv(session: Path) -> None:
    write_report(session, model=MODEL)
    text = (session / "report.html").read_text(encoding="utf-8")
    with (session / "quality.csv").open(newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=1):
            shown = re.search(rf'<tr><td data-value="{number}">.*?</tr>', text)
            assert shown is not None
            figures = [float(value) for value in re.findall(r'<td data-value="([^"]*)"', shown[0])[1:4]]
            assert figures == [float(row[key]) for key in ("snr_raw_db", "snr_denoised_db", "bias_db")]


def test_every_figure_and_table_is_a_file_too(session: Path) -> None:
    write_report(session, model=MODEL)
    (session / "report/figures/old.svg").touch()
    write_report(session, model=MODEL)  # in place of the first
    figures = {path.name for path in (session / "report/figures").iterdir()}
    assert figures == {f"{name}.{kind}" for name in CAPTIONS for kind in ("svg", "png")}
    for name in CAPTIONS:
        image = np.asarray(Image.open(session / f"report/figures/{name}.png").convert("L"))
        assert image[0, 0] == 255 and (image < 128).any()
        ElementTree.parse(session / f"report/figures/{name}.svg")
    with (session / "report/tables/micrographs.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (session / "quality.csv").open(newline="") as stream:
        for row, measured in zip(rows, csv.DictReader(stream), strict=True):
            assert measured["micrograph"] == f"MotionCorr/job002/{row['name']}.mrc"
            assert float(row["bias_db"]) == float(measured["bias_db"])
    with (session / "report/tables/summary.csv").open(newline="") as stream:
        summary = dict(csv.reader(stream))
    assert (summary["micrographs"], summary["median_bias_db"], summary["picks"]) == ("7", "-8", "15")
    assert {path.name for path in (session / "report/tables").iterdir()} == {
        f"{name}.csv" for name in ("micrographs", "summary", "failed", "frequencies", "training")
    }


def test_captions_of_snakemake_reports_are_the_same() -> None:
    rst = Path(__file__).parents[3] / "workflow/report/figures.rst"
    assert rst.read_text(encoding="utf-8") == figures_rst(), "python -m cryopair.report.captions > it"


def test_a_table_is_data_and_no_markup(session: Path) -> None:
    results = read_results(session, model=MODEL)
    odd = replace(results.micrographs[0], name="MotionCorr/job002/Movies/</script><b>.mrc", flags=("<i>",))
    grid: Grid = micrograph_grid([odd], shown=())
    assert "<" not in grid.as_json() and json.loads(grid.as_json())["reasons"] == {"0": "<i>"}


def test_a_live_page_says_so_and_a_finished_one_does_not(session: Path, whole_page: str) -> None:
    write_report(session, model=MODEL, live=30)
    live = (session / "report.html").read_text(encoding="utf-8")
    assert '<html lang="en" data-live="30">' in live and "The session is running." in live
    end_live(session)
    assert (session / "report.html").read_text(encoding="utf-8") == whole_page
