"""The configuration written out: a commented YAML file, which is the manual, and a JSON schema."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from ..formats.atomic import write_text
from .root import Config

_WIDTH = 100


def render_yaml(config: Config) -> str:
    """Return the configuration as YAML with a comment above each key.

    Reading it back gives an equal configuration.
    """
    header = "# yaml-language-server: $schema=config.schema.json\n# Settings of cryopair. Every key is here.\n"
    return header + "\n".join(_render(config, indent="")) + "\n"


def render_schema() -> str:
    """Return the JSON schema of the configuration, for editors."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _render(section: BaseModel, *, indent: str) -> list[str]:
    lines: list[str] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if not indent:
            lines.append("")
        prefix = f"{indent}# "
        lines += textwrap.wrap(
            field.description or "", _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False
        )
        if isinstance(value, BaseModel):
            lines += [f"{indent}{name}:", *_render(value, indent=indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {_scalar(value)}")
    return lines


def _scalar(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).removesuffix("...\n").strip()


def _write_examples() -> None:
    """Bring ``config/`` of this checkout in step with the models."""
    folder = Path(__file__).parents[3] / "config"
    example = Config(source="MotionCorr/job002/corrected_micrographs.star")
    write_text(folder / "config.yaml", render_yaml(example))
    write_text(folder / "config.schema.json", render_schema())


if __name__ == "__main__":
    _write_examples()
