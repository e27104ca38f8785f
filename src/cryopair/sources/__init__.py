"""Where movies and their motion come from: everything arrives as one list of micrographs."""

from .folders import list_file
from .kinds import Kind, files_of, kind_of
from .recognise import read_source
from .summary import Summary, summarise

__all__ = ["Kind", "Summary", "files_of", "kind_of", "list_file", "read_source", "summarise"]
