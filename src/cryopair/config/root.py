"""The whole configuration."""

from __future__ import annotations

from pathlib import PurePosixPath

from pydantic import Field, field_validator, model_validator

from .base import Section
from .sections import (
    Acquisition,
    Alignment,
    Denoising,
    Extraction,
    Halves,
    Imported,
    Picking,
    Quality,
    Shards,
    Training,
)


class Config(Section):
    """Settings of one session."""

    source: str = Field(
        description="Where the movies come from; it may grow between runs. The STAR file of a RELION job: "
        "MotionCorr/job002/corrected_micrographs.star, or CtfFind/job003/micrographs_ctf.star if particles shall carry "
        "the CTF. Or raw movies: Import/job001/movies.star, a folder, or a pattern such as Movies/*.tif. Or halves "
        "made elsewhere: MotionCor/*_{EVN,ODD}.mrc, average/{even,odd}/*.mrc. Or a table of cryoSPARC (.cs)."
    )
    output: str = Field("cryopair", description="Folder for everything that is made, relative to the project.")
    shards: Shards = Field(Shards(), description="Units of work.")
    acquisition: Acquisition = Field(Acquisition(), description="How the data were recorded, where files do not say.")
    alignment: Alignment = Field(Alignment(), description="Alignment of raw movies.")
    halves: Halves = Field(Halves(), description="Even and odd half-sums of the movies.")
    quality: Quality = Field(Quality(), description="Which micrographs are kept out of training, picking, extraction.")
    training: Training = Field(
        Training(), description="The denoiser; changing any key up to seed trains a new one beside the old."
    )
    denoising: Denoising = Field(Denoising(), description="What denoises the micrographs.")
    picking: Picking = Field(Picking(), description="Particles on the denoised micrographs.")
    imported: Imported = Field(Imported(), description="Particles picked elsewhere, if the picker is 'files'.")
    extraction: Extraction = Field(
        Extraction(), description="Particles cut from the RAW micrographs; as RELION's Extract job."
    )

    @field_validator("output")
    @classmethod
    def _inside_the_project(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValueError("the output folder must lie inside the project; RELION's paths are relative to it")
        return str(path)

    @model_validator(mode="after")
    def _files_to_take(self) -> Config:
        if self.picking.picker == "files" and self.imported.files is None:
            raise ValueError("picking.picker is 'files': say in imported.files where the coordinates are, or will be")
        if self.imported.pixel_size is not None and self.imported.binning is not None:
            raise ValueError("imported has a pixel_size and a binning; set one of them to null")
        return self
