"""What the Snakefile needs to know: shards, model, targets, and what each stage's result depends on.

All planning logic is here, so that the rules only say which file comes from which.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ..config import Config, parse_config
from ..config.sections import Training
from ..errors import CryopairError, UsageError
from ..formats.star import read_star
from ..micrographs import Micrographs, read_list
from ..sources import Kind, kind_of, read_source
from .alarm import drift_alarm
from .arrivals import Patience
from .coordinates import GivenCoordinates
from .identities import WEIGHTS, given_model, model_id, templates_id, training
from .models import Models, stage_table
from .options import Options
from .plan import Plan, journal_file, locked, new_movies, plan, sealed_shards, shard_file, shard_lengths
from .policy import Situation, decide, spread_shards
from .withdrawn import withdrawn_file

PLANNED = "CRYOPAIR_PLANNED"
"""Environment variable that tells Snakemake that whoever started it has just planned."""


class Session:
    """One session, as its configuration describes it.

    Parameters
    ----------
    config : Config
        Checked settings.

    Attributes
    ----------
    config : Config
        The settings.
    output : str
        Output folder, relative to the project.
    options : Options
        Options of the stages' commands.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.output = config.output
        self.options = Options(config)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Session:
        """Make a session of settings as Snakemake read them.

        Raises
        ------
        UsageError
            One line for each mistake.
        """
        session = cls(parse_config(values, origin="config"))
        if not session.trains:
            given_model(session.config)
        return session

    # -- the source -----------------------------------------------------------------------------

    def source(self) -> Micrographs:
        """Read the source as it is now."""
        return read_source(self.config.source, pixel_size=self.config.acquisition.pixel_size, output=self.output)

    @cached_property
    def kind(self) -> Kind:
        """What the source holds, as the first sealed shard shows; before there is one, the source itself."""
        shards = self.shards()
        return kind_of(read_list(shard_file(Path(self.output), shards[0])).table if shards else self.source().table)

    def check_source(self) -> None:
        """Make sure that what is asked for can be done with what the source holds.

        Raises
        ------
        UsageError
            When there is nothing to train on and no model is given, or the pixel size is not that of the micrographs
            taken in before.
        """
        self._check_pixel_size()
        if self.kind is Kind.SINGLE and self.trains:
            raise UsageError(
                f"{self.config.source}: holds micrographs with neither movies nor halves, and only an existing model "
                "can be applied to those: set 'denoising.model'. To train one, give the movies, or halves made of them."
            )

    def _check_pixel_size(self) -> None:
        given, shards = self.config.acquisition.pixel_size, self.shards()
        if given is None or not shards or self.kind not in (Kind.HALVES, Kind.SINGLE):
            return
        sealed = read_list(shard_file(Path(self.output), shards[0])).optics.floats("rlnMicrographPixelSize")
        if all(abs(value - given) > 1e-4 * given for value in sealed):
            raise UsageError(
                f"acquisition.pixel_size is {given:g}, but the micrographs taken in have {sealed[0]:g} Å/px. Set it "
                "back, or set another 'output:' to start anew."
            )

    @property
    def aligns(self) -> bool:
        """Whether movies are aligned here; not so as long as there is no source to tell."""
        try:
            return self.kind is Kind.RAW
        except CryopairError:
            return False

    @property
    def summable(self) -> str:
        """Folder of the tables that half-sums are made from: of raw movies, those that have been aligned."""
        return "motion" if self.aligns else "plan/shards"

    # -- shards ---------------------------------------------------------------------------------

    def plan(self, *, patience: Patience | None = None, look_again: bool = True, decide: bool = True) -> Plan:
        """Take in new movies, and take the decisions about models that are due.

        Parameters
        ----------
        patience : Patience, optional
            How long to wait for movies, if more are expected. By default everything is taken in as it is.
        look_again : bool
            Whether to look at the files of movies that were taken in before.
        decide : bool
            Whether to take decisions about models; not while a pass is under way.

        Returns
        -------
        Plan
            All sealed shards, and how many movies are new.
        """
        if not self.trains:
            given_model(self.config)  # before anything is sealed
        taken = plan(
            self.config.source,
            Path(self.output),
            shard_size=self.config.shards.size,
            pixel_size=self.config.acquisition.pixel_size,
            patience=patience,
            look_again=look_again,
        )
        self.__dict__["lengths"] = taken.lengths
        if self.given_coordinates:
            self.given_coordinates.plan(taken.shards)
        with locked(Path(self.output)):
            models = Models.read(Path(self.output))
            if decide and self._decide(models, live=patience is not None):
                models.write(Path(self.output))
        self.__dict__["models"] = models
        return taken

    def shards(self) -> list[str]:
        """Return the names of the sealed shards."""
        return sealed_shards(Path(self.output))

    @cached_property
    def lengths(self) -> dict[str, int]:
        """Micrographs of each sealed shard that no later one has taken in again, as planned last."""
        return shard_lengths(Path(self.output))

    def unplanned(self) -> int:
        """Return how many movies the next pass would take in; writes nothing."""
        return new_movies(self.source(), Path(self.output))

    # -- models ---------------------------------------------------------------------------------

    @property
    def journal(self) -> str:
        """The planner's journal."""
        return str(journal_file(Path(self.output)))

    @cached_property
    def models(self) -> Models:
        """The journal of models, as it was when it was first asked for or last planned."""
        return Models.read(Path(self.output))

    def foresee(self) -> None:
        """Take the decisions that a batch run would take now, and write nothing."""
        self._decide(self.models, live=False)

    def _decide(self, models: Models, *, live: bool) -> bool:
        if not self.trains:
            return self._use_given_model(models)
        if self.kind is Kind.SINGLE:
            return False  # `check_source` says so
        settings = self.config.training
        now = Situation(
            lengths=self.lengths,
            live=live,
            pairs=settings.pairs,
            quick_pairs=settings.quick.pairs,
            renew_after=settings.renew_after,
            drifted=self.drift() if live and settings.renew_on_drift else "",
        )
        return decide(
            models,
            now,
            model_id=self.model_id,
            folder=lambda model: f"{self.output}/models/{model}",
            is_frozen=lambda model: Path(self.manifest(model)).is_file(),
            is_trained=lambda model: Path(self.output, "models", model, WEIGHTS).is_file(),
        )

    def _use_given_model(self, models: Models) -> bool:
        model, folder = given_model(self.config)
        if models.latest and (models.latest.model, models.latest.folder) == (model, folder):
            return False
        models.put_in_force(model, folder, "given")
        return True

    def drift(self) -> str:
        """Say how the last shards differ from what the model in force was trained on; empty if they do not."""
        latest = self.models.latest
        return drift_alarm(Path(self.output), since=latest.first_shard) if latest else ""

    def model_id(self, which: str = "") -> str:
        """Return the name of a training set and its model: see `identities.model_id`."""
        return model_id(self.config, which, aligned=self.aligns)

    def training_of(self, model: str) -> Training:
        """Return the settings of the training of a model."""
        return training(self.config, "quick" if model == self.model_id("quick") else "")

    def training_shards(self, model: str) -> list[str]:
        """Return the shards that the training set of a model is chosen from."""
        chosen = self.models.set_of(model)
        return list(chosen.shards) if chosen else []

    def awaited_model(self) -> str | None:
        """Return the model that is to be trained, but denoises nothing yet."""
        ours = {self.model_id(), *(self.model_id(str(number)) for number in range(2, len(self.models.sets) + 2))}
        in_force = {entry.model for entry in self.models.in_force}
        for chosen in self.models.sets:
            trained = Path(self.output, "models", chosen.model, WEIGHTS).is_file()
            if chosen.model in ours - in_force and not trained:
                return chosen.model
        return None

    def manifest(self, model: str) -> str:
        """Return the training set's file."""
        return f"{self.output}/training/{model}/manifest.star"

    def weights(self, model: str) -> str:
        """Return the weights of a model that is in force."""
        folder = next(entry.folder for entry in reversed(self.models.in_force) if entry.model == model)
        return f"{folder}/{WEIGHTS}"

    def with_model(self) -> list[str]:
        """Return the shards that there is a model for, without those that later ones have taken in again as a whole."""
        return [shard for shard, length in self.lengths.items() if length and self.models.model_of(shard)]

    @property
    def model(self) -> str:
        """Folder of the model that denoises new movies: the one given, or the last one trained here."""
        latest = self.models.latest
        return self.config.denoising.model or (latest.folder if latest else f"{self.output}/models/{self.model_id()}")

    @property
    def trains(self) -> bool:
        """Whether this session trains its own models."""
        return self.config.denoising.model is None

    @property
    def is_trained(self) -> bool:
        """Whether the model is there."""
        return Path(self.model, WEIGHTS).is_file()

    # -- stages ---------------------------------------------------------------------------------

    @cached_property
    def given_coordinates(self) -> GivenCoordinates | None:
        """Where coordinates come from if particles are picked elsewhere."""
        where = self.config.imported.files
        files = self.config.picking.picker == "files" and where is not None
        return GivenCoordinates(Path(self.output), str(where)) if files else None

    @property
    def picks(self) -> bool:
        """Whether particles are picked; elsewhere, so soon as there are coordinates of one micrograph."""
        if self.given_coordinates:
            return any(map(self.given_coordinates.has, self.shards()))
        return self.config.picking.diameter is not None

    def picked(self, shards: list[str]) -> list[str]:
        """Return the shards whose particles are picked now: all, or those that there are coordinates for."""
        given = self.given_coordinates
        return [shard for shard in shards if given is None or given.has(shard)]

    @property
    def extracts(self) -> bool:
        """Whether particles are extracted."""
        return self.picks and self.config.extraction.box is not None

    # -- templates ------------------------------------------------------------------------------

    @property
    def matches(self) -> bool:
        """Whether particles are picked by templates."""
        return self.picks and self.config.picking.picker == "template"

    def templates(self, model: str) -> str:
        """Return the folder of the templates of a model's images."""
        return f"{self.output}/templates/{model}/{templates_id(self.config)}"

    def template_shards(self, model: str) -> list[str]:
        """Return the shards that templates are made of: those of the training set, or those already used."""
        made = Path(self.templates(model), "templates.star")
        if made.exists():
            return read_star(made)["template_shards"]["cryopairShard"]
        return self.training_shards(model) or spread_shards(self.lengths, self.config.training.pairs)

    def _model_of(self, shard: str) -> str:
        entry = self.models.model_of(shard)
        return entry.model if entry else ""

    def picking_inputs(self, shard: str) -> list[str]:
        """Return the files besides the micrographs that picking on a shard needs."""
        if self.given_coordinates:
            return [self.given_coordinates.list_of(shard)]
        return [f"{self.templates(self._model_of(shard))}/templates.star"] if self.matches else []

    @property
    def picking_environment(self) -> str:
        """Name of the conda environment that has the picker."""
        return "topaz" if self.config.picking.picker == "topaz" else "cryopair"

    # -- tables ---------------------------------------------------------------------------------

    def tables(self, stage: str, shards: list[str]) -> list[str]:
        """Return the tables of a stage, one a shard."""
        return [str(stage_table(Path(self.output), self.models, stage, shard)) for shard in shards]

    def merged_inputs(self, shards: list[str]) -> list[str]:
        """Return all tables that the merge joins."""
        tables = self.tables("halves", shards) + self.tables("denoised", shards)
        tables += self.tables("coordinates", self.picked(shards)) if self.picks else []
        tables += self.tables("particles", self.picked(shards)) if self.extracts else []
        return tables + self.tables("quality", shards)

    def withdrawn(self) -> list[str]:
        """Return the file of what is no longer listed in the source, if there is one."""
        path = withdrawn_file(Path(self.output))
        return [str(path)] if path.is_file() else []

    def targets(self, shards: list[str]) -> list[str]:
        """Return all that a pass is to make: everything for shards that there is a model for, half-sums of others."""
        done = self.with_model()
        halves = [] if done else self.tables("halves", shards)
        return [*halves, *(self.merged_outputs() if done else []), *([f"{self.output}/report.html"] if done else [])]

    def merged_outputs(self) -> list[str]:
        """Return all tables that the merge writes."""
        names = ["halves.star", "denoised_micrographs.star", "quality.csv", "quality_rings.csv", "outliers.csv"]
        names += ["drift.csv", "excluded.star", "failed.star"]
        names += ["coordinates.star"] if self.picks else []
        names += ["particles.star"] if self.extracts else []
        return [f"{self.output}/{name}" for name in names]

    # -- options of commands --------------------------------------------------------------------

    def picking_command(self, shard: str) -> list[str]:
        """Return the command that picks, with its options."""
        limits = self.options.limits("picking")
        if self.given_coordinates:
            source = self.given_coordinates.list_of(shard)
            return ["import-coordinates", "--from", source, *self.options.imported, *limits]
        templates = self.templates(self._model_of(shard)) if self.matches else None
        return ["pick", *self.options.pick(templates), *limits]

    def measure_options(self, model: str) -> list[str]:
        """Return the options of ``cryopair measure`` that name the training set, where the model is trained here."""
        return ["--manifest", self.manifest(model)] if self.models.set_of(model) else []

    def merge_options(self, shards: list[str]) -> str:
        """Return the options of ``cryopair merge`` that say how far the session goes, and what is kept out of it."""
        waiting = [shard for shard in shards if shard not in self.picked(shards)] if self.picks else []
        options = ["--picked"] * self.picks + ["--extracted"] * self.extracts
        options += ["--waiting", *waiting] if waiting else []
        steps = self.config.quality.exclude_from
        return " ".join([*options, *(self.options.limits(steps[0]) if steps else [])])
