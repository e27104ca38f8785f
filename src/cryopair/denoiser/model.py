"""Model files: weights as safetensors beside a card. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch

from .. import __version__
from ..errors import BadFileError, UsageError
from ..formats.atomic import atomic_path, sealed_path, write_text
from .card import CARD, FORMAT_VERSION, Card, read_card
from .networks.unet import UNet

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Model:
    """A network with its card.

    Attributes
    ----------
    network : UNet
        Ready for use, on the CPU until moved.
    card : dict
        What it was trained on, how, and how good it was; see `make_card`.
    """

    network: UNet
    card: Card

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the weights: the name of the model in STAR files."""
        return str(self.card["sha256"])[:12]

    @property
    def pixel_size(self) -> float:
        """Pixel size of the training data in Å/px."""
        return float(self.card["pixel_size"])


def save_model(folder: str | Path, network: UNet, card: Card) -> Model:
    """Write ``model.safetensors`` and ``model.json`` into a folder.

    Parameters
    ----------
    folder : str or Path
        Made if it is missing.
    network : UNet
        Its weights are stored as float32.
    card : dict
        What to say of it; format, architecture, hash and versions are added.

    Returns
    -------
    Model
        As `load_model` would return it.

    Raises
    ------
    UsageError
        When the folder holds another model.
    """
    folder = Path(folder)
    weights = {name: tensor.detach().cpu().float().contiguous() for name, tensor in network.state_dict().items()}
    content = safetensors.torch.save(weights)
    card = {
        "format_version": FORMAT_VERSION,
        "architecture": {"name": type(network).__name__, **network.hyper_parameters},
        "sha256": hashlib.sha256(content).hexdigest(),
        "versions": {"cryopair": __version__, "torch": str(torch.__version__)},
        **card,
    }
    with sealed_path(folder / WEIGHTS) as candidate, atomic_path(candidate) as temporary:
        temporary.write_bytes(content)
    with sealed_path(folder / CARD) as candidate:
        write_text(candidate, json.dumps(card, indent=2, sort_keys=True) + "\n")
    return Model(network, card)


def load_model(path: str | Path) -> Model:
    """Read a model from its folder, or from its ``.safetensors`` file with ``model.json`` beside it.

    Raises
    ------
    UsageError
        When `path` is another kind of file, such as a pickled model.
    BadFileError
        When a file is missing, is of a newer format, or is not what the card says.
    """
    path = Path(path)
    if path.suffix != ".safetensors" and not path.is_dir() and (path.suffix or path.exists()):
        raise UsageError(
            f"{path}: is not a cryopair model; expected a folder with {WEIGHTS} and {CARD}. Other weight files "
            "can run code when they are opened, and are not read."
        )
    weights_file = path if path.suffix == ".safetensors" else path / WEIGHTS
    card = read_card(weights_file.with_name(CARD))
    try:
        content = weights_file.read_bytes()
    except FileNotFoundError:
        raise BadFileError(weights_file, "no such file", fix="Train the model, or copy it whole.") from None
    found = hashlib.sha256(content).hexdigest()
    if found != card["sha256"]:
        raise BadFileError(
            weights_file,
            f"has SHA-256 {found[:12]}...",
            expected=f"{card['sha256'][:12]}..., as {CARD} says",
            fix="Copy the model's folder again.",
        )
    architecture = dict(card["architecture"])
    if architecture.pop("name") != UNet.__name__:
        raise BadFileError(weights_file.with_name(CARD), f"architecture is {card['architecture']}", expected="UNet")
    network = UNet(**architecture)
    network.load_state_dict(safetensors.torch.load(content))
    return Model(network.eval(), card)
