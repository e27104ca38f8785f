"""Topaz's trained denoisers: found where Topaz is installed, recognised, and turned into networks of ours."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from ..errors import BadFileError, UsageError
from ..topaz import PROGRAM
from .card import Card
from .networks import Network, TopazAffine, TopazFCNN, TopazUNet
from .networks.topaz import TOP_CHANNELS
from .torch_files import PickledModule, read_torch_file

PREFIX = "topaz:"
WEIGHTS = {
    "unet": "unet_L2_v0.2.2.sav",
    "unet-small": "unet_small_L1_v0.2.2.sav",
    "fcnn": "fcnn_L1_v0.2.2.sav",
    "affine": "affine_L1_v0.2.2.sav",
    "unet-v0.2.1": "unet_L2_v0.2.1.sav",
}
"""Names of the denoisers of images, as ``topaz denoise --model`` has them, and their files."""

_CLASSES = ("UDenoiseNet", "UDenoiseNetSmall", "DenoiseNet2", "AffineDenoise")


def read_topaz(path: str | Path) -> tuple[Network, Card]:
    """Read a denoiser that Topaz wrote: a state dict or a whole pickled model. Nothing in it is run.

    Returns
    -------
    Network
        Of the architecture that its tensors have.
    dict
        What there is to say of it in a model's card. Its pixel size is None: any.

    Raises
    ------
    BadFileError
        When it is something else, or is damaged.
    """
    path = Path(path)
    content = read_torch_file(path)
    if isinstance(content, PickledModule):
        if content.class_name not in _CLASSES:
            raise BadFileError(
                path, f"is a {content.class_name}", expected=f"one of Topaz's denoisers {', '.join(_CLASSES)}"
            )
        try:
            tensors = content.tensors()
        except (AttributeError, LookupError, TypeError) as error:
            raise BadFileError(path, f"is not a whole model ({error!r})") from None
    else:
        tensors = content
    try:
        network = _network(tensors)
        network.load_state_dict(tensors)
    except (LookupError, RuntimeError, ValueError):
        names = ", ".join(list(tensors)[:3])
        raise BadFileError(
            path, f"has tensors {names}, ...", expected="those of Topaz's unet, unet-small, fcnn or affine (2D)"
        ) from None
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return network.eval(), {"pixel_size": None, "source": {"file": path.name, "sha256": sha256}}


def find_topaz_weights(name: str) -> Path:
    """Find the file of one of Topaz's denoisers, by the name that Topaz gives it.

    Topaz is looked for in this Python, then where its program is; neither is run.

    Raises
    ------
    UsageError
        When there is no denoiser of that name, or Topaz is not installed.
    BadFileError
        When Topaz is there, but not the file.
    """
    if name not in WEIGHTS:
        raise UsageError(
            f"{PREFIX}{name}: there is no such model; choose from {', '.join(map(PREFIX.__add__, WEIGHTS))}."
        )
    packages = _packages()
    for package in packages:
        path = package / "pretrained/denoise" / WEIGHTS[name]
        if path.is_file():
            return path
    if packages:
        raise BadFileError(
            packages[0] / "pretrained/denoise" / WEIGHTS[name], "no such file", fix="Install Topaz again."
        )
    raise UsageError(
        f"{PREFIX}{name}: Topaz is not installed here. Install it (pip install topaz-em, in any environment), and put "
        f"its program on the PATH or name it in {PROGRAM}=/path/to/bin/topaz."
    )


def _packages() -> list[Path]:
    """Return the folders of the package ``topaz`` that can be found."""
    found: list[Path] = []
    spec = None if os.environ.get(PROGRAM) else find_spec("topaz")  # of a top-level package: imports nothing
    if spec is not None:
        found += map(Path, spec.submodule_search_locations or ())
    program = shutil.which(os.environ.get(PROGRAM) or "topaz")
    if program is not None:
        script = Path(program)
        for folder in (script.parent, script.resolve().parent, *_interpreter(script)):
            found += sorted(folder.parent.glob("lib/python3*/site-packages/topaz"))
    return found


def _interpreter(script: Path) -> list[Path]:
    """Return the folder of the Python that a script names in its first line."""
    with script.open("rb") as file:
        first = file.readline(4096)
    if not first.startswith(b"#!"):
        return []
    return [Path(os.fsdecode(first[2:].split()[0])).parent]


def _network(tensors: Mapping[str, Tensor]) -> Network:
    """Return a network that has these tensors, by their names and shapes."""
    if any(tensor.ndim > 4 for tensor in tensors.values()):
        raise ValueError("it denoises volumes")
    if "filter.weight" in tensors:
        return TopazAffine(kernel=tensors["filter.weight"].shape[-1])
    if "net.0.weight" in tensors:
        channels, _, _, kernel = tensors["net.0.weight"].shape
        return TopazFCNN(channels=channels, kernel=kernel)
    channels, _, _, base_kernel = tensors["enc1.0.weight"].shape
    top, _, _, top_kernel = tensors["dec1.0.weight"].shape
    if top != TOP_CHANNELS[0]:
        raise ValueError("its last layers are of other sizes")
    levels = sum(name.startswith("enc") and name.endswith("weight") for name in tensors) - 1
    return TopazUNet(levels=levels, channels=channels, base_kernel=base_kernel, top_kernel=top_kernel)
