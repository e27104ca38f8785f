"""Models: what their cards say."""

from __future__ import annotations

from pathlib import Path

from ..denoiser.model import load_model


def describe_model(folder: Path) -> list[tuple[str, str]]:
    """Describe a model; its weights are read, so that a damaged file is found out."""
    model = load_model(folder)
    card = model.card
    weights = sum(parameter.numel() for parameter in model.network.parameters())
    architecture = dict(card["architecture"])
    lines = [
        ("model", f"{model.hash}, {architecture.pop('name')}, {weights:,} weights"),
        ("network", ", ".join(f"{key} {value}" for key, value in sorted(architecture.items()))),
        ("pixel size", f"{model.pixel_size:g} Å/px" if model.pixel_size else "any, or not known"),
    ]
    if pairs := card.get("pairs"):
        lines.append(("trained on", f"{pairs['train']} pairs, {pairs['validate']} held out"))
    if settings := card.get("settings"):
        lines.append(("training", f"{settings['steps']} steps, seed {settings['seed']}"))
    if validation := card.get("validation"):
        lines.append(("quality", f"SNR {validation['snr_db']:.2f} dB on the pairs held out"))
    if versions := card.get("versions"):
        lines.append(("made with", ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))))
    return lines
