"""Model files: weights as safetensors beside a card; nothing in them can run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch

from .. import __version__
from ..errors import BadFileError, UsageError
from ..formats.atomic import atomic_path, sealed_path, write_text
from .card import CARD, FORMAT_VERSION, Card, read_card
from .networks import ARCHITECTURES, Network
from .topaz_weights import PREFIX, find_topaz_weights, read_topaz

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Model:
    """A network with its card.

    Attributes
    ----------
    network : Network
        Ready for use, on the CPU until moved.
    card : dict
        What it was trained on, how, and how good it was; see `make_card`.
    """

    network: Network
    card: Card

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the weights: the name of the model in STAR files."""
        return str(self.card["sha256"])[:12]

    @property
    def pixel_size(self) -> float | None:
        """Pixel size of the training data in Å/px; None where the model was trained at many, or it is not known."""
        pixel_size = self.card["pixel_size"]
        return None if pixel_size is None else float(pixel_size)

    @property
    def members(self) -> tuple[Model, ...]:
        """The model itself, as an ensemble of one."""
        return (self,)


@dataclass(frozen=True)
class Ensemble:
    """Several models whose results are averaged.

    Attributes
    ----------
    members : tuple of Model
        In the order given.
    """

    members: tuple[Model, ...]

    @property
    def hash(self) -> str:
        """The members' hashes, joined by ``+``."""
        return "+".join(model.hash for model in self.members)


def save_model(folder: str | Path, network: Network, card: Card) -> Model:
    """Write ``model.safetensors`` and ``model.json`` into a folder.

    Parameters
    ----------
    folder : str or Path
        Made if it is missing.
    network : Network
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
    content = _weights(network)
    card = _complete_card(network, content, card)
    with sealed_path(folder / WEIGHTS) as candidate, atomic_path(candidate) as temporary:
        temporary.write_bytes(content)
    with sealed_path(folder / CARD) as candidate:
        write_text(candidate, json.dumps(card, indent=2, sort_keys=True) + "\n")
    return Model(network, card)


def load_models(names: Sequence[str | Path]) -> Model | Ensemble:
    """Load one model, or several as an ensemble; see `load_model`."""
    models = tuple(load_model(name) for name in names)
    return models[0] if len(models) == 1 else Ensemble(models)


def load_model(path: str | Path) -> Model:
    """Read a model from its folder, or from its ``.safetensors`` file with ``model.json`` beside it.

    ``topaz:unet`` and the like are Topaz's own weights, read where Topaz is installed.

    Raises
    ------
    UsageError
        When `path` is another kind of file, such as a pickled model, or Topaz or its model is not there.
    BadFileError
        When a file is missing, is of a newer format, or is not what the card says.
    """
    if str(path).startswith(PREFIX):
        network, card = read_topaz(find_topaz_weights(str(path).removeprefix(PREFIX)))
        return Model(network, _complete_card(network, _weights(network), {"name": str(path), **card}))
    path = Path(path)
    if path.suffix != ".safetensors" and not path.is_dir() and (path.suffix or path.exists()):
        raise UsageError(
            f"{path}: is not a cryopair model; expected a folder with {WEIGHTS} and {CARD}. Other weight files can run "
            "code when they are opened, and are not read; those of Topaz can be turned into a model by cryopair "
            "import-model."
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
    hyper_parameters = dict(card["architecture"])
    architecture = ARCHITECTURES.get(hyper_parameters.pop("name"))
    if architecture is None:
        raise BadFileError(
            weights_file.with_name(CARD),
            f"architecture is {card['architecture']}",
            expected=f"one of {', '.join(ARCHITECTURES)}",
            fix="Update cryopair.",
        )
    network = architecture(**hyper_parameters)
    network.load_state_dict(safetensors.torch.load(content))
    return Model(network.eval(), card)


def import_model(path: str | Path, *, out: str | Path, name: str | None = None) -> Model:
    """Turn a denoiser that Topaz trained into a model of ours, without running anything in its file.

    Parameters
    ----------
    path : str or Path
        State dict or whole pickled model, or ``topaz:NAME`` of an installed Topaz.
    out : str or Path
        Folder for the model.
    name : str, optional
        To call it by in its card; by default that of the file.

    Raises
    ------
    BadFileError
        When the file is something else.
    UsageError
        When `out` holds another model.
    """
    file = find_topaz_weights(str(path).removeprefix(PREFIX)) if str(path).startswith(PREFIX) else Path(path)
    network, card = read_topaz(file)
    return save_model(out, network, {"name": name or file.stem, **card})


def _weights(network: Network) -> bytes:
    """Return the weights in float32, as they are in files."""
    tensors = {name: tensor.detach().cpu().float().contiguous() for name, tensor in network.state_dict().items()}
    return bytes(safetensors.torch.save(tensors))


def _complete_card(network: Network, content: bytes, card: Card) -> Card:
    return {
        "format_version": FORMAT_VERSION,
        "architecture": {"name": type(network).__name__, **network.hyper_parameters},
        "sha256": hashlib.sha256(content).hexdigest(),
        "versions": {"cryopair": __version__, "torch": str(torch.__version__)},
        **card,
    }
