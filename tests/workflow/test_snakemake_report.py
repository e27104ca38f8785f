"""``snakemake --report`` holds the session's report, its figures and its tables, each with a caption."""

import json
import re

import pytest
from made_up import Project

pytestmark = pytest.mark.slow

FIGURES = {"snr", "histograms", "training", "motion", "track", "picks", "frc", "spectrum"}
TABLES = {"summary", "micrographs", "failed", "frequencies", "training"}


def test_snakemake_report(project: Project) -> None:
    done = project.snakemake("--report", "out.html")
    assert done.returncode == 0, done.stderr
    page = (project.folder / "out.html").read_text(encoding="utf-8")
    start = page.index("{", page.index('results = {"cryopair'))
    results, _ = json.JSONDecoder().raw_decode(page, start)
    captions = {path: re.sub("<.*?>", "", result["caption"]).strip() for path, result in results.items()}
    assert set(captions) == {
        "cryopair/report.html",
        *(f"cryopair/report/figures/{name}.svg" for name in FIGURES),
        *(f"cryopair/report/tables/{name}.csv" for name in TABLES),
    }
    assert all(captions.values()) and len(set(captions.values())) == len(captions)
    assert all("Bad would be: " in text for path, text in captions.items() if not path.endswith(".csv"))
