"""Tables of cryoSPARC (``.cs``), read only.

They are NumPy arrays of records. Nothing in them is run: arrays of Python objects are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError

_MAX_HEADER = 1_000_000  # bytes: NumPy's own limit is less than tables with many classes have


def read_table(path: str | Path) -> npt.NDArray[np.void]:
    """Read a table of cryoSPARC.

    Raises
    ------
    BadFileError
        When it is none, is damaged, or holds Python objects, which are never loaded.
    """
    try:
        # Mapped, so that no memory is asked for that the file does not fill; it takes no Python objects.
        table: npt.NDArray[np.void] = np.lib.format.open_memmap(path, mode="r", max_header_size=_MAX_HEADER)
    except FileNotFoundError:
        raise BadFileError(path, "no such file", expected="a table of cryoSPARC") from None
    except (ValueError, OSError, EOFError, TypeError, SyntaxError, OverflowError) as error:
        raise BadFileError(path, f"is not a table of cryoSPARC ({' '.join(str(error).split())})") from None
    if table.dtype.names is None or table.ndim != 1:
        raise BadFileError(path, f"holds an array of {table.dtype}", expected="records of cryoSPARC")
    return table


def column_names(table: npt.NDArray[np.void]) -> Sequence[str]:
    """Return the names of the columns, such as ``blob/path``."""
    return table.dtype.names or ()


def paths(column: npt.NDArray[np.bytes_]) -> list[str]:
    """Return paths relative to the cryoSPARC project; some versions mark them by ``>``."""
    return [value.decode("utf-8", "replace").removeprefix(">") for value in column.tolist()]
