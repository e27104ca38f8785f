"""The settings of a session as options of the stages' commands: each command gets those that it really uses."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Config


class Options:
    """Options of the stages' commands.

    Parameters
    ----------
    config : Config
        Checked settings.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    @property
    def align(self) -> list[str]:
        """Options of ``cryopair align``."""
        values = self._config.acquisition.model_dump() | self._config.alignment.model_dump()
        if values["eer_grouping"] is None:
            values["eer_upsampling"] = None
        weighting = "--dose-weighting" if self._config.halves.dose_weighting else "--no-dose-weighting"
        return [*_given(values), weighting]

    def pick(self, templates: str | None) -> list[str]:
        """Options of ``cryopair pick``, with the folder of the templates where it picks by some."""
        names = ("picker", "images", "diameter", "diameter_max", "min_score")
        values: dict[str, object] = {name: getattr(self._config.picking, name) for name in names}
        if self._config.picking.picker == "topaz":
            values["detector"] = self._config.picking.detector
        return _given({**values, "templates": templates})

    @property
    def imported(self) -> list[str]:
        """Options of ``cryopair import-coordinates``."""
        settings, picking = self._config.imported, self._config.picking
        values = settings.model_dump(include={"pixel_size", "binning"})
        values |= picking.model_dump(include={"min_score", "diameter"})
        origin = ["--origin", *map(str, settings.origin)] if any(settings.origin) else []
        return [*_given(values), *origin, *["--flip-y"] * settings.flip_y, "--allow-none"]

    @property
    def handoff(self) -> str:
        """Options of ``cryopair handoff``."""
        settings = self._config.picking
        return f"--edge-margin {settings.edge_margin} --min-distance {settings.min_distance}"

    @property
    def extract(self) -> str:
        """Options of ``cryopair extract`` besides the box."""
        settings = self._config.extraction
        options = [] if settings.rescale is None else [f"--rescale {settings.rescale}"]
        options += [] if settings.window is None else [f"--window {settings.window}"]
        options += ["--normalise" if settings.normalise else "--no-normalise"]
        if settings.background_diameter is not None:
            options += [f"--background-diameter {settings.background_diameter}"]
        options += ["--invert" if settings.invert else "--no-invert"]
        options += ["--float16"] if settings.float16 else []
        return " ".join([*options, *self.limits("extraction")])

    def limits(self, stage: str) -> list[str]:
        """Options that keep micrographs out of a stage: training, picking or extraction."""
        found = limits_of(self._config, stage)
        return [part for name, value in found.items() for part in ("--limit", f"{name}={value:g}")]


def limits_of(config: Config, stage: str) -> dict[str, float]:
    """Return the limits beyond which micrographs are kept out of a stage."""
    given = config.quality.model_dump(exclude={"exclude_from"}, exclude_none=True)
    return given if stage in config.quality.exclude_from else {}


def _given(values: Mapping[str, object]) -> list[str]:
    """Return the options whose value is set."""
    given = {name: value for name, value in values.items() if value is not None}
    return [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
