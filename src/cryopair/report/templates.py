"""Filling in the pages' templates, which lie beside this module with their styles and scripts."""

from __future__ import annotations

import shlex
from pathlib import Path

import jinja2
from markupsafe import Markup

from .formatting import count, fixed, percent, signed


def fill(template: str, **values: object) -> str:
    """Return a page as HTML.

    Parameters
    ----------
    template : str
        Name of the file.
    values : object
        What it shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"fixed": fixed, "signed": signed, "percent": percent, "count": count}
    environment.filters["quoted"] = lambda path: shlex.quote(str(path))
    environment.globals["inline"] = _inline
    return environment.get_template(template).render(**values)


def _inline(name: str) -> Markup:
    """Return a file beside this module, to stand in the page as it is."""
    return Markup(Path(__file__).with_name(name).read_text(encoding="utf-8"))
