"""The journal of models: what each is trained on, and which one denoises which shard. It only grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..formats.star import Table, read_star, write_star

_SETS = ("cryopairModelName", "cryopairTrainingShards", "cryopairReason")
_IN_FORCE = ("cryopairModelName", "cryopairModelFolder", "cryopairFirstShard", "cryopairReason")


@dataclass(frozen=True)
class TrainingSet:
    """What a model is trained on.

    Attributes
    ----------
    model : str
        Id of the model.
    shards : tuple of str
        Whose movies the pairs are chosen from.
    reason : str
        Why it was decided on then.
    """

    model: str
    shards: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class InForce:
    """From which shard on a model denoises; a later entry overrules an earlier one.

    Attributes
    ----------
    model : str
        Id of the model.
    folder : str
        Where it is, or will be once it is trained.
    first_shard : str
        The first one it denoises.
    reason : str
        Why it was put in force.
    """

    model: str
    folder: str
    first_shard: str
    reason: str


@dataclass
class Models:
    """The decisions of a session about its models, in the order they were taken.

    Attributes
    ----------
    sets : list of TrainingSet
        One for each model that is trained here.
    in_force : list of InForce
        Which model denoises which shards.
    """

    sets: list[TrainingSet] = field(default_factory=list)
    in_force: list[InForce] = field(default_factory=list)

    @classmethod
    def read(cls, output: Path) -> Models:
        """Read the journal of a session; empty before the first decision."""
        path = journal_file(output)
        blocks = read_star(path) if path.is_file() else {}
        sets = blocks.get("training_sets", Table()).rows()
        in_force = blocks.get("models_in_force", Table()).rows()
        return cls(
            [TrainingSet(r[_SETS[0]], tuple(r[_SETS[1]].split(",")), r[_SETS[2]]) for r in sets],
            [InForce(*(row[label] for label in _IN_FORCE)) for row in in_force],
        )

    def write(self, output: Path) -> None:
        """Write the journal, whole or not at all."""
        sets = [(s.model, ",".join(s.shards), s.reason) for s in self.sets]
        in_force = [(entry.model, entry.folder, entry.first_shard, entry.reason) for entry in self.in_force]
        write_star(
            journal_file(output),
            {
                "training_sets": Table.from_rows([dict(zip(_SETS, row, strict=True)) for row in sets], _SETS),
                "models_in_force": Table.from_rows(
                    [dict(zip(_IN_FORCE, row, strict=True)) for row in in_force], _IN_FORCE
                ),
            },
        )

    def choose(self, model: str, shards: Sequence[str], reason: str) -> None:
        """Decide what a model is trained on."""
        self.sets.append(TrainingSet(model, tuple(shards), reason))

    def put_in_force(self, model: str, folder: str, reason: str, *, first_shard: str = "000001") -> None:
        """Decide that a model denoises the shards from `first_shard` on."""
        self.in_force.append(InForce(model, folder, first_shard, reason))

    def set_of(self, model: str) -> TrainingSet | None:
        """Return what a model is trained on, as decided last; None if that was not decided here."""
        return next((chosen for chosen in reversed(self.sets) if chosen.model == model), None)

    @property
    def latest(self) -> InForce | None:
        """The last entry: what denoises new shards."""
        return self.in_force[-1] if self.in_force else None

    def model_of(self, shard: str) -> InForce | None:
        """Return which model denoises a shard; None as long as there is none."""
        return next((entry for entry in reversed(self.in_force) if entry.first_shard <= shard), None)


def journal_file(output: Path) -> Path:
    """Return the file of the journal."""
    return output / "plan" / "models.star"


def stage_table(output: Path, models: Models, stage: str, shard: str) -> Path:
    """Return the table of a shard after a stage; what a model made lies below the model's id."""
    if stage not in ("denoised", "quality"):
        return output / stage / f"{shard}.star"
    model = models.model_of(shard)
    return output / stage / (model.model if model else "none") / f"{shard}{'.csv' if stage == 'quality' else '.star'}"
