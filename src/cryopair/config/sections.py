"""The sections of the configuration, in the order of the stages they steer."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from .base import Section


class Shards(Section):
    """How movies are grouped into units of work."""

    size: int = Field(
        64, ge=1, description="Movies per shard: the unit of work, of progress and of repetition after a crash."
    )
    max_wait: float = Field(
        5.0, ge=0, description="Minutes that a movie waits for its shard to fill in `cryopair watch`, at most."
    )


class Acquisition(Section):
    """How the data were recorded, where the files do not say it. RELION's lists do: leave this as it is there."""

    pixel_size: float | None = Field(
        None,
        gt=0,
        description="Of raw movies, in Å/px; of micrographs and halves, if their headers do not say it or are wrong.",
    )
    voltage: float | None = Field(None, gt=0, description="In kV; for raw movies.")
    spherical_aberration: float | None = Field(None, ge=0, description="In mm.")
    amplitude_contrast: float | None = Field(None, ge=0, le=1, description="From 0 to 1; 0.1 is usual.")
    dose_per_frame: float | None = Field(
        None, gt=0, description="In e/Å², for raw movies; of EER movies, per grouped frame."
    )
    pre_exposure: float = Field(0.0, ge=0, description="In e/Å², before the first frame.")
    gain: str | None = Field(None, description="Gain reference of raw movies: MRC, TIFF, or .gain of a Falcon camera.")
    gain_rotation: Literal[0, 1, 2, 3] = Field(
        0, description="Quarter turns that bring the gain onto the frames, as RELION's 'Gain rotation'."
    )
    gain_flip: Literal[0, 1, 2] = Field(
        0, description="After the rotation: 1 upside down, 2 left to right, as RELION's 'Gain flip'."
    )
    defects: str | None = Field(None, description="Defects of the camera: lines 'x y width height' (.txt), or a map.")
    eer_grouping: int | None = Field(None, ge=1, description="Raw frames of EER movies that are summed to one frame.")
    eer_upsampling: Literal[-1, 1, 2, 3] = Field(
        1, description="Of EER movies: 1, the pixels of the camera; 2, twice as fine (8k); -1, half as fine."
    )


class Alignment(Section):
    """How raw movies are aligned. Movies that have been aligned already, by RELION or another program, are not."""

    motion: Literal["patch", "global", "none"] = Field(
        "patch",
        description="What to correct: local motion too, only shifts of whole frames, or nothing, for stacks of frames "
        "that another program has aligned.",
    )
    binning: float = Field(1.0, ge=1, description="Pixels of the movie per pixel of the micrograph and axis.")
    first_frame: int = Field(1, ge=1, description="First frame to use.")
    last_frame: int | None = Field(None, ge=1, description="Last frame to use. null: the last that there is.")


class Halves(Section):
    """How the half-sums are made."""

    dose_weighting: bool = Field(
        True,
        description="Whether the micrographs are dose-weighted sums (`cryopair init` finds out): the two halves must "
        "add up to the micrograph.",
    )


class Quick(Section):
    """A first model for `cryopair watch`."""

    pairs: int | None = Field(
        16,
        ge=4,
        description="Movies to wait for, and to train on at most. null: no quick model, wait for the real one.",
    )
    steps: int = Field(500, ge=1, description="Training steps.")


class Training(Section):
    """How the denoiser is trained. Changing any key up to `seed` trains a new model beside the old one."""

    name: str = Field(
        "v1",
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Name of the training set and its model. A new name chooses movies anew and trains again.",
    )
    pairs: int = Field(
        200,
        ge=4,
        description="Movies to train on at most, spread over what is there and over defocus; `cryopair watch` waits "
        "for so many.",
    )
    steps: int = Field(
        6000,
        ge=1,
        description="Training steps. On a CPU count on a quarter of a second each, and stop at 500 to 2000.",
    )
    pixel_size: float | None = Field(
        3.0,
        gt=0,
        description="Å/px that the network works at: finer micrographs are resampled to it, and its results back. "
        "null: as the micrographs are. Finer takes longer and, on real data, came out worse, and so did 4 Å/px; detail "
        "below twice this size is lost.",
    )
    seed: int = Field(1, ge=0, description="Seed of all random choices; the same seed gives the same model.")
    quick: Quick = Field(
        Quick(), description="What `cryopair watch` denoises with until there are enough movies for the model proper."
    )
    renew_after: int | None = Field(
        None,
        ge=4,
        description="In `cryopair watch`: train another model after so many more movies, for those that follow. "
        "null: never.",
    )
    renew_on_drift: bool = Field(
        False,
        description="In `cryopair watch`: train another one too when new movies have become unlike those trained on.",
    )


class Quality(Section):
    """Limits for micrographs, none by default.

    What is beyond one is still summed, denoised and measured, and listed in excluded.star with the reason. A limit on
    something that is not known of a micrograph (such as its defocus) does not exclude it.
    """

    exclude_from: list[Literal["training", "picking", "extraction"]] = Field(
        ["training", "picking"],
        description="What micrographs beyond a limit are kept out of. Not picked is not extracted either.",
    )
    max_motion_early: float | None = Field(None, ge=0, description="Length of the drift up to 4 e/Å², in Å.")
    max_motion_late: float | None = Field(None, ge=0, description="Length of the drift after that, in Å.")
    min_intensity: float | None = Field(
        None, description="Median grey level of the micrograph (counts per pixel): low where ice is thick."
    )
    max_intensity: float | None = Field(None, description="The same: high where there is no ice, or the beam changed.")
    max_contamination: float | None = Field(None, ge=0, le=1, description="Share of the area that is contaminated.")
    max_carbon: float | None = Field(None, ge=0, le=1, description="Share of the area that is carbon film.")
    min_correlation: float | None = Field(None, ge=-1, le=1, description="Correlation of the even and odd halves.")
    min_defocus: float | None = Field(None, description="In Å.")
    max_defocus: float | None = Field(None, description="In Å.")
    max_ctf_resolution: float | None = Field(None, gt=0, description="To which the CTF was fitted, in Å.")


class Denoising(Section):
    """What denoises the micrographs."""

    model: str | None = Field(
        None,
        description="Folder of an existing model to apply, e.g. models/v1-0123abcd of another session. "
        "null: train one on this session's own movies.",
    )
    what: Literal["sum", "halves", "both"] = Field(
        "sum",
        description="What the network is given: the sum of the two halves (best and fastest where we measured), each "
        "half by itself and the results added, or both, averaged.",
    )


class Picking(Section):
    """How particles are found on the denoised micrographs."""

    picker: Literal["blob", "template", "topaz", "files"] = Field(
        "blob",
        description="What finds the particles. blob: discs that are darker than their rim. template: averages of this "
        "session's own particles, made once of its first shards and matched with all micrographs; better where "
        "particles differ from discs. topaz: the program Topaz, which must be installed, or use --sdm conda. files: "
        "you, or another program, on the denoised micrographs or the raw ones; see 'imported'.",
    )
    images: Literal["denoised", "raw"] = Field(
        "denoised", description="What to pick on. Topaz's own detectors learnt from raw micrographs."
    )
    detector: str = Field(
        "resnet16",
        description="Of topaz: resnet8 or resnet16, which come with it, or a file that `cryopair train-topaz` wrote.",
    )
    diameter: float | None = Field(
        None,
        gt=0,
        description="Particle diameter in Å (of a long particle, its length). null: stop after denoising, unless the "
        "picker is 'files'.",
    )
    diameter_max: float | None = Field(
        None,
        gt=0,
        description="Diameter of the largest particles in Å, where they differ in size; `diameter` is then that of the "
        "smallest. null: all are alike. For blob.",
    )
    min_score: float | None = Field(
        None,
        description="Leave out picks with a lower score. Scores of blob are in standard deviations of the background, "
        "those of template are correlation coefficients, those of topaz log-likelihood ratios. null: all that the "
        "picker believes. For files: crYOLO's .cbox also hold what is below its own threshold of 0.3.",
    )
    edge_margin: float = Field(
        0.0,
        ge=0,
        description="In Å. Picks nearer to an edge of the micrograph are dropped, and counted. 0: keep all whose "
        "centre is on the micrograph, as RELION does; it repeats the outermost pixels where boxes reach beyond them.",
    )
    min_distance: float = Field(
        0.0,
        ge=0,
        description="In Å. Of picks that are nearer to each other only the best is kept. 0: drop only a second one on "
        "the same pixel.",
    )

    @model_validator(mode="after")
    def _largest_last(self) -> Self:
        if self.diameter and self.diameter_max and self.diameter_max < self.diameter:
            raise ValueError(
                f"diameter_max ({self.diameter_max:g} Å) is smaller than diameter ({self.diameter:g} Å); swap them"
            )
        if self.diameter_max and self.picker != "blob":
            raise ValueError(f"diameter_max is for the picker blob; the picker is {self.picker}")
        return self


class Imported(Section):
    """Particles picked elsewhere, for ``picking.picker: files``."""

    files: str | None = Field(
        None,
        description="Where the coordinates are, or will be: a folder, a pattern such as Picks/*_mine.star, a table, or "
        "autopick.star or coords_suffix_autopick.star of a RELION job. Any of: RELION STAR, EMAN .box, crYOLO .cbox or "
        ".star, tables of Topaz, cryoSPARC .cs, CSV. The run waits for those that are not there yet.",
    )
    pixel_size: float | None = Field(
        None,
        gt=0,
        description="Of the images that were picked on, in Å/px. null: as the files say, else that of the micrographs.",
    )
    binning: float | None = Field(
        None, gt=0, description="Instead of pixel_size: pixels of the micrograph per pixel of theirs, and axis."
    )
    origin: tuple[float, float] = Field(
        (0.0, 0.0),
        description="Where their first pixel lies on the micrograph, x and y in its pixels: above 0 if they were "
        "cropped, below if they were padded.",
    )
    flip_y: bool = Field(
        False,
        description="Their rows count from the other end, as those of cryoSPARC's own micrographs of TIFF movies.",
    )


class Extraction(Section):
    """How particles are cut from the raw micrographs. Names and meaning as in RELION's Extract job."""

    box: int | None = Field(
        None,
        gt=0,
        description="Box size in pixels of the raw micrograph, even; about 1.5 particle diameters. "
        "null: stop after picking.",
    )
    rescale: int | None = Field(
        None, gt=0, description="Box size after rescaling, in pixels, even. null: keep the pixel size."
    )
    window: int | None = Field(
        None, gt=0, description="Side of the centre of the rescaled box to keep, in pixels, even. null: all of it."
    )
    normalise: bool = Field(True, description="Subtract a ramp and scale the background to mean 0 and std 1.")
    background_diameter: int | None = Field(
        None,
        gt=0,
        description="Diameter of the circle outside which is background, in pixels of the raw micrograph. "
        "null: 75 % of what the particle images show.",
    )
    invert: bool = Field(True, description="Invert contrast, so that particles are white, as RELION wants them.")
    float16: bool = Field(
        False, description="Write particles as float16, in half the space. RELION 3.1 cannot read them; 4 and 5 can."
    )

    @field_validator("box", "rescale", "window")
    @classmethod
    def _even(cls, value: int | None) -> int | None:
        if value is not None and value % 2:
            raise ValueError(f"{value} is odd; RELION's boxes are even")
        return value
