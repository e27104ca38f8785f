"""Topaz's files are recognised and found; what could run code in them does not run."""

import hashlib
import io
import os
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cryopair.cli import main
from cryopair.denoiser.inference import denoise_normalised
from cryopair.denoiser.model import import_model, load_model
from cryopair.denoiser.networks import Network, TopazAffine, TopazFCNN, TopazUNet
from cryopair.denoiser.topaz_weights import PROGRAM, WEIGHTS, read_topaz
from cryopair.denoiser.torch_files import read_torch_file
from cryopair.errors import BadFileError, UsageError

NETWORKS = {
    "unet": TopazUNet(channels=2, top_kernel=5),
    "unet-v0.2.1": TopazUNet(channels=2, base_kernel=7, top_kernel=3),
    "unet-small": TopazUNet(levels=3, channels=2),
    "fcnn": TopazFCNN(channels=3, kernel=5),
    "affine": TopazAffine(kernel=7),
}


def save(network: Network, path: Path, *, legacy: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(OrderedDict(network.state_dict()), path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_state_dicts_are_recognised(tmp_path: Path, name: str, legacy: bool) -> None:
    path = save(NETWORKS[name], tmp_path / "weights.sav", legacy=legacy)
    network, card = read_topaz(path)
    assert type(network) is type(NETWORKS[name])
    assert network.hyper_parameters == NETWORKS[name].hyper_parameters
    for key, tensor in NETWORKS[name].state_dict().items():
        torch.testing.assert_close(network.state_dict()[key], tensor, rtol=0, atol=0)
    expected = {"file": "weights.sav", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert card == {"pixel_size": None, "source": expected}


def test_an_imported_model_is_a_model_like_others(tmp_path: Path) -> None:
    path = save(NETWORKS["affine"], tmp_path / "weights.sav")
    assert main(["import-model", str(path), "--out", str(tmp_path / "model"), "--name", "mine"]) == 0
    model = load_model(tmp_path / "model")
    image = np.random.default_rng(0).normal(size=(40, 56)).astype(np.float32)
    expected = denoise_normalised(image, NETWORKS["affine"], exact=True)
    np.testing.assert_array_equal(denoise_normalised(image, model.network, exact=True), expected)
    assert (model.pixel_size, model.card["name"], model.card["source"]["file"]) == (None, "mine", "weights.sav")


# -- an installed Topaz -----------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a Topaz that is an error to import or to run; return its program."""
    package = tmp_path / "topaz-env/lib/python3.11/site-packages/topaz"
    for name, network in NETWORKS.items():
        save(network, package / "pretrained/denoise" / WEIGHTS[name])
    (package / "__init__.py").write_text("raise SystemExit('Topaz was imported')")
    program = tmp_path / "topaz-env/bin/topaz"
    program.parent.mkdir()
    program.write_text(f"#!{program.parent}/python3\nraise SystemExit('Topaz was run')\n")
    program.chmod(0o755)
    monkeypatch.delenv(PROGRAM, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    return program


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("way", ["variable", "path", "python", "link", "wrapper"])
def test_topaz_is_found(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, name: str) -> None:
    elsewhere = tmp_path / "bin/topaz"
    elsewhere.parent.mkdir()
    if way == "variable":
        monkeypatch.setenv(PROGRAM, str(installed))
    elif way == "path":
        monkeypatch.setenv("PATH", str(installed.parent))
    elif way == "python":
        monkeypatch.syspath_prepend(str(next(installed.parent.parent.glob("lib/*/site-packages"))))
    elif way == "link":
        elsewhere.symlink_to(installed)
        monkeypatch.setenv("PATH", str(elsewhere.parent))
    else:  # a console script that was copied away names its interpreter
        elsewhere.write_bytes(installed.read_bytes())
        elsewhere.chmod(0o755)
        monkeypatch.setenv("PATH", str(elsewhere.parent))
    model = load_model(f"topaz:{name}")
    assert model.network.hyper_parameters == NETWORKS[name].hyper_parameters
    assert model.pixel_size is None
    assert model.card["name"] == f"topaz:{name}"


def test_the_hash_is_that_of_the_imported_model(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROGRAM, str(installed))
    path = next(installed.parent.parent.rglob(WEIGHTS["unet-small"]))
    imported = import_model(path, out=tmp_path / "model")
    assert imported.hash == load_model("topaz:unet-small").hash == load_model(tmp_path / "model").hash


def test_where_topaz_is_not_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(PROGRAM, raising=False)
    with pytest.raises(UsageError, match=r"topaz:unet: Topaz is not installed here\. Install it .*CRYOPAIR_TOPAZ="):
        load_model("topaz:unet")
    with pytest.raises(
        UsageError, match="there is no such model; choose from topaz:unet, topaz:unet-small, topaz:fcnn"
    ):
        load_model("topaz:unet-large")


def test_a_topaz_without_its_weights_is_named(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    next(installed.parent.parent.rglob(WEIGHTS["unet"])).unlink()
    monkeypatch.setenv(PROGRAM, str(installed))
    with pytest.raises(BadFileError, match=r"unet_L2_v0\.2\.2\.sav: no such file\. Install Topaz again"):
        load_model("topaz:unet")


# -- files that would run code ----------------------------------------------------------------------


class Call:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def attacks(marker: Path) -> dict[str, object]:
    """Return objects that make `marker` when they are unpickled."""
    touch = f"touch {marker}"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    module = nn.Conv2d(1, 1, 3)
    module.extra = Call(os.system, touch)  # type: ignore[assignment]
    return {
        "os.system": Call(os.system, touch),
        "eval": Call(eval, code),
        "exec": Call(exec, code),
        "in a state dict": OrderedDict(weight=torch.zeros(3), bias=Call(os.system, touch)),
        "in a module": module,
    }


NAMES = ["os.system", "eval", "exec", "in a state dict", "in a module"]
WRITERS: dict[str, Callable[[object, Path], object]] = {
    "pickle": lambda content, path: path.write_bytes(pickle.dumps(content)),
    "old pickle": lambda content, path: path.write_bytes(pickle.dumps(content, protocol=0)),
    "zip": torch.save,
    "legacy": lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("name", NAMES)
def test_attacks_are_refused_and_do_not_run(tmp_path: Path, name: str, writer: str) -> None:
    marker, path = tmp_path / "sprung", tmp_path / "model.sav"
    WRITERS[writer](attacks(marker)[name], path)
    with pytest.raises(BadFileError, match=r"refers to [\w.]+, which .* could run code"):
        read_torch_file(path)
    assert main(["import-model", str(path), "--out", str(tmp_path / "model")]) == 1
    assert not marker.exists()
    assert not (tmp_path / "model").exists()
    torch.load(path, weights_only=False) if writer in ("zip", "legacy") else pickle.loads(path.read_bytes())
    assert marker.exists()  # the attack works


GADGETS = [
    b"c__builtin__\ngetattr\n.",
    b"ctorch\nload\n.",
    b"ctorch._utils\n_rebuild_tensor\n.",
    b"ctorch.storage\n_load_from_bytes\n.",
    b"ctorch.hub\nload\n.",
    b"cnumpy\nload\n.",
    b"ccryopair.denoiser.torch_files\nread_torch_file\n.",
    b"\x80\x04\x8c\x10torch.nn.modules\x8c\x0bconv.Conv2d\x93.",
    b"\x80\x04\x8c\x15topaz.denoising.models\x8c\x08a.b.os.x\x93.",
    b"\x80\x02\x82\x01.",  # a class by its number in the registry
    b"(S'touch'\nios\nsystem\n.",
]


@pytest.mark.parametrize("code", GADGETS)
def test_names_that_are_no_data_are_refused(tmp_path: Path, code: bytes) -> None:
    path = tmp_path / "model.sav"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", code)
    with pytest.raises(BadFileError, match=r"model\.sav: (refers to|is not a torch file)"):
        read_torch_file(path)


def test_what_is_known_is_inert(tmp_path: Path) -> None:
    """Classes of torch and Topaz are not even imported: made-up ones do as well."""
    path = tmp_path / "model.sav"
    code = b"\x80\x02ctopaz.denoise\nNoSuchNet\n)\x81}X\x08\x00\x00\x00trainingI01\nsb."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", code)
    content = read_torch_file(path)
    assert content.class_name == "NoSuchNet"  # type: ignore[union-attr]
    with pytest.raises(BadFileError, match="is a NoSuchNet; expected one of Topaz's denoisers UDenoiseNet"):
        read_topaz(path)


# -- files that are damaged, or something else ------------------------------------------------------


def test_tensors_outside_their_storage_are_refused(tmp_path: Path) -> None:
    """A view that reaches further than its storage would read memory of the program."""
    buffer = io.BytesIO()
    torch.save({"filter.weight": torch.zeros(5, 7)}, buffer)
    path = tmp_path / "model.sav"
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("data.pkl"):
                assert content.count(b"K\x05K\x07") == 1  # the shape
                content = content.replace(b"K\x05K\x07", b"K\x50K\x07")
                pickletools.dis(content, io.StringIO())
            new.writestr(name, content)
    with pytest.raises(BadFileError, match="is not a torch file, or is damaged"):
        read_torch_file(path)


def test_a_text_is_told_from_a_torch_file(tmp_path: Path) -> None:
    (tmp_path / "model.sav").write_text("hello text")
    with pytest.raises(BadFileError, match=r"begins with b'hello te'.*expected what torch.save wrote"):
        read_torch_file(tmp_path / "model.sav")


@pytest.mark.parametrize("legacy", [False, True])
def test_damaged_files_are_named(tmp_path: Path, legacy: bool) -> None:
    path = save(NETWORKS["unet-small"], tmp_path / "model.sav", legacy=legacy)
    content = path.read_bytes()
    for length in (0, 1, 40, 200, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(BadFileError, match=r"model\.sav: is not a torch file, or is damaged"):
            read_torch_file(path)
    with pytest.raises(BadFileError, match="cannot be read"):
        read_torch_file(tmp_path / "none.sav")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"fc.weight": torch.zeros(3, 4)}, r"has tensors fc\.weight, \.\.\.; expected those of Topaz's unet"),
        ({"enc1.0.weight": torch.zeros(4, 1, 7, 7, 7)}, "expected those of Topaz's unet, .* [(]2D[)]"),
        ({"filter.weight": torch.zeros(1, 1, 7, 7)}, "has tensors filter.weight"),
        ({"epoch": 3}, "holds a dict; expected the weights of a model"),
        ([torch.zeros(3)], "holds a list; expected the weights of a model"),
    ],
)
def test_other_contents_are_named(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "model.sav")
    with pytest.raises(BadFileError, match=message):
        read_topaz(tmp_path / "model.sav")
