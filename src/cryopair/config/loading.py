"""Reading the configuration, with one line for each mistake."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ..errors import BadFileError, UsageError
from .root import Config


def load_config(path: str | Path) -> Config:
    """Read and check a configuration file.

    Raises
    ------
    BadFileError
        When the file is missing or is not YAML.
    UsageError
        When a key is unknown (naming the nearest valid one), missing, or has a bad value.
    """
    path = Path(path)
    if not path.is_file():
        raise BadFileError(path, "no such file", fix="Write it with: cryopair init --from <micrographs STAR>")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadFileError(path, f"is not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise BadFileError(path, "holds no settings", expected="'key: value' lines")
    return parse_config(values, origin=path)


def parse_config(values: Mapping[str, Any], *, origin: str | Path = "configuration") -> Config:
    """Check settings that were read elsewhere, for instance by Snakemake.

    Raises
    ------
    UsageError
        As `load_config`, one line for each mistake.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        lines = [_explain(dict(problem)) for problem in error.errors()]
        raise UsageError("\n".join(f"{origin}: {line}" for line in lines)) from None


def _explain(problem: Mapping[str, Any]) -> str:
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if not location:  # settings that do not go together
        return str(problem["msg"]).removeprefix("Value error, ") + "."
    if problem["type"] == "extra_forbidden":
        valid = sorted(_keys(location[:-1]))
        near = difflib.get_close_matches(location[-1], valid, n=1, cutoff=0.5)
        hint = f"Did you mean '{'.'.join([*location[:-1], near[0]])}'?" if near else f"Valid: {', '.join(valid)}."
        return f"unknown key '{key}'. {hint}"
    if problem["type"] == "missing":
        return f"'{key}' is missing."
    return f"'{key}' is {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}."


def _keys(location: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for part in location:
        section = model.model_fields[part].annotation
        assert isinstance(section, type) and issubclass(section, BaseModel)
        model = section
    return list(model.model_fields)
