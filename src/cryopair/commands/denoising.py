"""Commands about denoisers: choosing what they learn from, making them, and denoising."""

from __future__ import annotations

import argparse
from pathlib import Path

from .limits import add_limits, within_limits
from .options import add_device, add_model, device_of
from .replaced import current
from .stage import add_stage, finish, table_of


def add_freeze_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``freeze``."""
    add = sub.add_argument
    add(
        "star",
        nargs="+",
        type=Path,
        metavar="HALVES",
        help="tables of the stage halves. They may be of several projects and pixel sizes: what a project has at one "
        "pixel size is a dataset, and all datasets have equal shares, here and in training",
    )
    add("--out", type=Path, required=True, help="manifest to write")
    add("--pairs", type=int, default=200, help="take no more than this many (default: %(default)s)")
    add("--seed", type=int, default=1, help="of the choice (default: %(default)s)")
    add_limits(sub)


def freeze(options: argparse.Namespace) -> int:
    """Choose the training set."""
    from ..denoiser.training.datasets import read_halves
    from ..denoiser.training.training_set import freeze_training_set, write_manifest

    projects, tables = zip(*(read_halves(path) for path in options.star), strict=True)
    tables = tuple(within_limits(options, table) for table in tables)
    pairs = freeze_training_set(tables, max_pairs=options.pairs, seed=options.seed, projects=projects)
    write_manifest(options.out, pairs)
    held_out, datasets = sum(pair.validate for pair in pairs), len({pair.dataset for pair in pairs})
    of = f" of {datasets} datasets" if datasets > 1 else ""
    print(f"freeze: {len(pairs)} pairs{of}, {held_out} of them held out, in {options.out}")
    return 0


def add_train_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``train``."""
    add = sub.add_argument
    add("--manifest", type=Path, required=True, help="as written by cryopair freeze")
    add("--out", type=Path, required=True, help="folder for the model")
    add("--steps", type=int, default=6000, help="training steps (default: %(default)s)")
    add("--seed", type=int, default=1, help="of all random choices (default: %(default)s)")
    add(
        "--pixel-size",
        metavar="Å",
        help="pixel size to work at, if the micrographs are finer, or 'native' (default: 3, or that of --from)",
    )
    add("--from", dest="parent", metavar="MODEL", help="go on from this model (fine-tuning), at a tenth of the rate")
    add("--gpus", type=int, metavar="N", help="GPUs to share the work (default: all that there are)")
    add_device(sub)
    sub.epilog = "Stopped at any moment and started again, it goes on where it was, and ends with the same model."


def train(options: argparse.Namespace) -> int:
    """Train a denoiser."""
    from functools import partial

    from ..denoiser.model import load_model
    from ..denoiser.training import processes
    from ..denoiser.training.train import PIXEL_SIZE, TrainingSettings, train
    from ..device import choose_device

    device = choose_device(options.device)
    parent = load_model(options.parent) if options.parent else None
    pixel_size = _pixel_size(options.pixel_size, default=None if parent else PIXEL_SIZE)
    settings = TrainingSettings(steps=options.steps, pixel_size=pixel_size, seed=options.seed)
    gpus = processes.gpus(options.gpus, device, most=settings.batch)
    work = partial(train, out=options.out, device=device, parent=parent)
    processes.run(gpus, work, options.manifest, settings)
    if processes.is_first():
        print(f"train: model {load_model(options.out).hash} in {options.out}")
    return 0


def _pixel_size(text: str | None, *, default: float | None) -> float | None:
    from ..errors import UsageError

    if text in (None, "native"):
        return default if text is None else None
    try:
        pixel_size = float(text or "")
    except ValueError:
        pixel_size = 0.0
    if not 0 < pixel_size < 100:
        raise UsageError(f"--pixel-size is '{text}'; expected Å/px, such as 3, or native.")
    return pixel_size


def add_import_model_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``import-model``."""
    add = sub.add_argument
    add("file", metavar="FILE", help="weights or whole model, as Topaz wrote it (.sav), or topaz:unet etc.")
    add("--out", type=Path, required=True, help="folder for the model")
    add("--name", help="what to call the model in its card (default: as the file)", dest="title")


def import_model(options: argparse.Namespace) -> int:
    """Turn a denoiser of Topaz into a model."""
    from ..denoiser.model import import_model

    model = import_model(options.file, out=options.out, name=options.title)
    print(f"import-model: model {model.hash} ({model.card['architecture']['name']}) in {options.out}")
    return 0


def add_denoise_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``denoise``."""
    add_model(sub)
    add_stage(sub, star_required=False)
    sub.add_argument(
        "--what",
        choices=("sum", "halves", "both"),
        default="sum",
        help="with --star: denoise the sum of the halves, each half and add the results, or both, averaged "
        "(default: %(default)s)",
    )
    sub.add_argument("images", nargs="*", type=Path, metavar="MRC", help="or plain images, denoised as they are")
    add_device(sub)


def denoise(options: argparse.Namespace) -> int:
    """Denoise micrographs."""
    from ..denoiser.files import denoise_files
    from ..denoiser.model import load_models
    from ..denoiser.stage import denoise_micrographs
    from ..errors import UsageError
    from ..micrographs import read_micrographs, write_micrographs

    if bool(options.star) == bool(options.images):
        raise UsageError("give either --star or image files to denoise.")
    model, device = load_models(options.model), device_of(options)
    if options.images:
        denoise_files(options.images, model, out=options.out, device=device)
        return 0
    micrographs = current(options, read_micrographs(options.star))
    micrographs = denoise_micrographs(micrographs, model, out=options.out, what=options.what, device=device)
    write_micrographs(table_of(options), micrographs)
    return finish(options, micrographs)
