"""Where movies and their motion come from: everything arrives as one list of micrographs with motion."""

from .relion import read_source
from .summary import Summary, summarise

__all__ = ["Summary", "read_source", "summarise"]
