"""What a source holds, in a few lines for the user."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import CryopairError
from ..formats.movies import EER_SUFFIXES, EerRendering, open_movie
from ..micrographs import Micrographs
from ..motion import Motion, read_motion
from .kinds import Kind, files_of, kind_of

_SAMPLE = 20
_NAMED = 3
_RAW_EER = EerRendering(grouping=1, upsampling=1)


@dataclass(frozen=True)
class Summary:
    """What was found in a source.

    Attributes
    ----------
    kind : Kind
        What is known of each micrograph.
    micrographs : int
        How many there are.
    files : str
        What the first file is, where there is no motion to tell.
    motions : list of Motion
        Of some of them, evenly spread.
    problems : list of str
        Messages about those that could not be read.
    optics_groups : list of str
        Names.
    pixel_size : float or None
        Of the micrographs of the first optics group, in Å/px; None for raw movies.
    dose_weighting : bool or None
        Whether the micrographs are dose-weighted; None when nothing tells.
    has_ctf : bool
        Whether the micrographs carry a defocus.
    """

    kind: Kind
    micrographs: int
    files: str
    motions: list[Motion]
    problems: list[str]
    optics_groups: list[str]
    pixel_size: float | None
    dose_weighting: bool | None
    has_ctf: bool

    def lines(self) -> list[str]:
        """Describe the source, one fact a line."""
        size = f", {self.pixel_size:g} Å/px" if self.pixel_size else ""
        lines = [f"micrographs     {self.micrographs}{size}{', with CTF' * self.has_ctf}: {self.kind.value}"]
        if self.files:
            lines.append(f"files           {self.files}")
        if self.motions:
            first = self.motions[0]
            lines += [
                f"movies          {_span([m.frames for m in self.motions])} frames of "
                f"{first.width} x {first.height} px, {_span([m.pixel_size for m in self.motions])} Å/px, "
                f"binning {_span([m.binning for m in self.motions])}",
                f"dose            {_span([m.dose_per_frame for m in self.motions])} e/Å² per frame, "
                f"{_span([m.dose_per_frame * len(m.used_frames) + m.pre_exposure for m in self.motions])} e/Å² in all",
                f"voltage         {_span([m.voltage for m in self.motions])} kV",
                f"gain            {', '.join(sorted({m.gain or 'none' for m in self.motions}))}",
                f"motion          {self._motion_model()}",
            ]
        if self.kind is Kind.MOTION:
            weighted = {True: "yes", False: "no", None: "not known, taken as yes"}[self.dose_weighting]
            lines.append(f"dose weighting  {weighted}")
        lines.append(f"optics groups   {len(self.optics_groups)}: {', '.join(self.optics_groups)}")
        return lines + [f"problem         {problem}" for problem in self.problems]

    def _motion_model(self) -> str:
        local = sum(m.local_coefficients is not None for m in self.motions)
        if local == len(self.motions):
            return "global shifts and local model"
        if local == 0 and any(m.local_motion_lost for m in self.motions):
            return "global shifts only; local motion was observed, but no model of it is in the files (MotionCor2)"
        if local == 0:
            return "global shifts only"
        return f"global shifts; local model for {local} of the {len(self.motions)} looked at"


def summarise(source: Micrographs, *, root: Path = Path()) -> Summary:
    """Look at a source: its tables, its job's settings, and up to twenty of its motion STARs or its first file.

    Parameters
    ----------
    source : Micrographs
        From `read_source`.
    root : Path
        Project folder.
    """
    table, kind = source.table, kind_of(source.table)
    motions: list[Motion] = []
    files, problems = "", []
    if kind is not Kind.MOTION:
        try:
            files = _described(files_of(table.row(0)), root)
        except CryopairError as error:
            problems.append(str(error))
    for index in range(0, len(table), max(len(table) // _SAMPLE, 1)) if kind is Kind.MOTION else ():
        try:
            motion = read_motion(root / table["rlnMicrographMetadata"][index])
            motions.append(motion)
            if not (root / motion.movie).is_file():
                problems.append(f"{motion.movie}: no such movie")
        except CryopairError as error:
            problems.append(str(error))
    lost = source.failed["cryopairReason"]
    problems += lost[:_NAMED] + [f"and {len(lost) - _NAMED} more of this kind"] * (len(lost) > _NAMED)
    optics = source.optics
    return Summary(
        kind=kind,
        micrographs=len(table),
        files=files,
        motions=motions,
        problems=problems,
        optics_groups=optics["rlnOpticsGroupName"] if "rlnOpticsGroupName" in optics else optics["rlnOpticsGroup"],
        pixel_size=float(optics["rlnMicrographPixelSize"][0]) if "rlnMicrographPixelSize" in optics else None,
        dose_weighting=_dose_weighting(source, root) if kind is Kind.MOTION else None,
        has_ctf="rlnDefocusU" in table,
    )


def _described(files: tuple[str, ...], root: Path) -> str:
    """Say what the first files are."""
    path = root / files[0]
    with open_movie(path, eer=_RAW_EER) as movie:
        frames, height, width = movie.shape
    images = f"{frames} {'raw frames' if path.suffix.lower() in EER_SUFFIXES else 'frames'} of " if frames > 1 else ""
    others = f" and {', '.join(files[1:])}" if files[1:] else ""
    return f"{images}{width} x {height} px, e.g. {files[0]}{others}"


def _dose_weighting(source: Micrographs, root: Path) -> bool | None:
    """Tell from the unweighted twin of a micrograph, or from the settings of the job that made it."""
    micrograph = PurePosixPath(source.table["rlnMicrographName"][0])
    twin = micrograph.with_name(f"{micrograph.stem}_noDW.mrc")
    if "rlnMicrographNameNoDW" in source.table or (root / twin).is_file():
        return True
    for folder in micrograph.parents:
        job = root / folder / "job.star"
        if job.is_file():
            # Matched as text: RELION 3.1 writes help texts into this file that are not valid STAR.
            answer = re.search(r"^\s*do_dose_weighting\s+\"?(\w+)", job.read_text(errors="replace"), re.MULTILINE)
            return answer.group(1).lower() in ("yes", "true") if answer else None
    return None


def _span(values: list[float] | list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
