"""The card of a model: what it is, what it was trained on and how, and how good it was.

It holds no dates and no host names, so that the same training gives the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import BadFileError

FORMAT_VERSION = 1
CARD = "model.json"

Card = dict[str, Any]


def read_card(path: Path) -> Card:
    """Read and check the card of a model.

    Raises
    ------
    BadFileError
        When it is missing, is no card, or is of another format version.
    """
    try:
        card: Card = json.loads(path.read_text(encoding="utf-8"))
        found, _ = card["format_version"], (card["sha256"], card["architecture"], card["pixel_size"])
    except FileNotFoundError:
        raise BadFileError(path, "no such file", expected="the card of a model") from None
    except (ValueError, KeyError, TypeError) as error:
        raise BadFileError(path, f"is not the card of a model ({error})") from None
    if found != FORMAT_VERSION:
        raise BadFileError(
            path, f"has format version {found}", expected=f"version {FORMAT_VERSION}", fix="Update cryopair."
        )
    return card
