"""Reading what ``torch.save`` wrote, without running any of it.

A pickle is a program. The reader here follows the few steps that data need, and refuses all others: it knows
dictionaries, sets, tensors and their storages, and takes objects of torch's and Topaz's modules for what they
hold, without those modules. Nothing is imported and nothing is called that the file names.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import BadFileError

_MAGIC = 0x1950A86A20F9469CFC6C  # first in files of torch before 1.6, which are no zip files
_PROTOCOL = 1001
_DTYPES = {"FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16}
_MODULES = ("topaz.", "torch.nn.modules.")
_DAMAGE = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, LookupError, AttributeError),
    *(TypeError, ValueError, OverflowError, RuntimeError, MemoryError, NotImplementedError),
)


class PickledModule:
    """What was an ``nn.Module`` of a class that is not loaded: only its state.

    Attributes
    ----------
    class_name : str
        Of the module, without its package.
    """

    class_name = ""
    state: Any

    def __setstate__(self, state: object) -> None:
        self.state = state

    def tensors(self) -> dict[str, Tensor]:
        """Return parameters and buffers by the names that they have in a state dict."""
        found: dict[str, Tensor] = {}
        for kind in ("_parameters", "_buffers", "_modules"):
            for name, content in self.state[kind].items():
                if isinstance(content, PickledModule):
                    found |= {f"{name}.{inner}": tensor for inner, tensor in content.tensors().items()}
                elif isinstance(content, Tensor):
                    found[name] = content
        return found


def read_torch_file(path: str | Path) -> dict[str, Tensor] | PickledModule:
    """Read a state dict, or a whole module without its class, in either of torch's formats.

    Raises
    ------
    BadFileError
        When the file is missing, damaged or holds something else, above all if that could run code.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadFileError(path, f"cannot be read ({error.strerror})") from None
    try:
        read = _read_zip if zipfile.is_zipfile(io.BytesIO(content)) else _read_legacy
        result = read(path, content)
    except _DAMAGE as error:
        # What the unpickler says of a file that is no pickle would puzzle.
        reason = error if content.startswith((pickle.PROTO, b"PK")) else f"it begins with {content[:8]!r}"
        raise BadFileError(
            path, f"is not a torch file, or is damaged ({reason})", expected="what torch.save wrote"
        ) from None
    if isinstance(result, dict) and all(isinstance(tensor, Tensor) for tensor in result.values()):
        return dict(result)
    if isinstance(result, PickledModule):
        return result
    raise BadFileError(path, f"holds a {type(result).__name__}", expected="the weights of a model")


class _Reader(pickle.Unpickler):
    """Unpickler that resolves no name but those of data."""

    def __init__(self, file: io.BytesIO, path: Path, storage: Callable[[str, torch.dtype, int], Tensor]) -> None:
        super().__init__(file)
        self._path = path
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name in the file; see `pickle.Unpickler.find_class`."""
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "builtins" | "__builtin__", "set":
                return set
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case "torch._utils", "_rebuild_parameter":
                return _parameter
            case "torch", _ if name in _DTYPES:
                return _DTYPES[name]
        if module.startswith(_MODULES) and name.isidentifier():
            return type(name, (PickledModule,), {"class_name": name})
        raise BadFileError(
            self._path,
            f"refers to {module}.{name}, which is no part of a model's weights and could run code",
            fix="Nothing of it was run. Do not open this file with other programs unless you trust where it is from.",
        )

    def persistent_load(self, reference: Any) -> Any:
        """Return a storage, one-dimensional, or a class; see `pickle.Unpickler.persistent_load`."""
        match reference:
            case "storage", torch.dtype() as dtype, key, _, int() as count:
                return self._storage(str(key), dtype, count)
            case "storage", torch.dtype() as dtype, key, _, int() as count, None:  # the format before torch 1.6
                return self._storage(str(key), dtype, count)
            case "module", type() as stand_in, _, _:  # the last two are its source code
                return stand_in
        raise pickle.UnpicklingError("unknown reference")


def _tensor(storage: Tensor, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    return storage.as_strided(shape, stride, offset)  # torch checks that it lies within the storage


def _parameter(data: Tensor, *_: object) -> Tensor:
    return data


def _read_zip(path: Path, content: bytes) -> Any:
    """Read the format of torch 1.6 and later: a zip file with a pickle and one member per storage."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder = name.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise ValueError("it is big-endian")
        storages: dict[str, Tensor] = {}

        def storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
            if key not in storages:
                storages[key] = torch.frombuffer(bytearray(archive.read(f"{folder}data/{key}")), dtype=dtype)
            return storages[key]

        return _Reader(io.BytesIO(archive.read(name)), path, storage).load()


def _read_legacy(path: Path, content: bytes) -> Any:
    """Read the format before torch 1.6: pickles one after the other, then the storages."""
    file = io.BytesIO(content)
    storages: dict[str, Tensor] = {}

    def storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
        if count * dtype.itemsize > len(content):
            raise ValueError(f"storage {key} is larger than the file")
        return storages.setdefault(key, torch.empty(count, dtype=dtype))

    def load() -> Any:
        return _Reader(file, path, storage).load()

    if load() != _MAGIC or load() != _PROTOCOL or not load()["little_endian"]:
        raise ValueError("it does not begin as one")
    result = load()
    for key in load():
        target = storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        if count != target.numel():
            raise ValueError(f"storage {key} has {count} numbers and not {target.numel()}")
        target.copy_(torch.frombuffer(bytearray(file.read(count * target.itemsize)), dtype=target.dtype))
    return result
