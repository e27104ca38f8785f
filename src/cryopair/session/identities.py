"""What models and templates are called: their names end in a hash of all that decides how they come out.

Another setting makes another name, so that models and training sets never change, and the old ones stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ..config import Config
from ..config.sections import Training
from ..errors import UsageError
from .options import Options, limits_of
from .versions import VERSIONS

WEIGHTS = "model.safetensors"


def model_id(config: Config, which: str = "", *, aligned: bool) -> str:
    """Return the name of a training set and its model.

    Parameters
    ----------
    config : Config
        Settings of the session.
    which : str
        ``"quick"`` for the quick model, ``"2"`` for the one that follows the first, and so on.
    aligned : bool
        Whether movies are aligned here, so that the settings of the alignment decide too.
    """
    settings = training(config, which)
    decides: dict[str, object] = {
        "halves": config.halves.model_dump(),
        "training": settings.model_dump(exclude={"quick", "renew_after", "renew_on_drift"}),
        "versions": {stage: VERSIONS[stage] for stage in ("halves", "freeze", "train")},
    }
    if limits := limits_of(config, "training"):
        decides["limits"] = limits
    if aligned:
        decides |= {"align": Options(config).align, "version of align": VERSIONS["align"]}
    return "-".join(filter(None, (config.training.name, which, _hash_of(decides))))


def training(config: Config, which: str) -> Training:
    """Return the settings of a training: those of the quick model, or of the others."""
    settings = config.training
    if which != "quick":
        return settings
    return settings.model_copy(update={"pairs": settings.quick.pairs or settings.pairs, "steps": settings.quick.steps})


def given_model(config: Config) -> tuple[str, str]:
    """Return id and folder of the model in 'denoising.model'; the id ends in a hash of its weights.

    Raises
    ------
    UsageError
        When there is none.
    """
    folder = config.denoising.model or ""
    path = Path(folder, WEIGHTS)
    if not path.is_file():
        raise UsageError(
            f"denoising.model: '{folder}' holds no {WEIGHTS}. Give the folder of a trained model, or null to train one."
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{path.absolute().parent.name}-{digest[:8]}", folder


def templates_id(config: Config) -> str:
    """Return the name of templates among those made of one model's images."""
    decides: dict[str, object] = {
        "diameter": config.picking.diameter,
        "images": config.picking.images,
        "denoising": config.denoising.model_dump(),
        "versions": {stage: VERSIONS[stage] for stage in ("denoise", "templates")},
    }
    if limits := limits_of(config, "picking"):
        decides["limits"] = limits
    return _hash_of(decides)


def _hash_of(decides: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:8]
