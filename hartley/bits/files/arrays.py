"""Arrays from .npy and .npz files: what is declared is checked before anything is loaded, and nothing is ever unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hartley.bits.files.columns import MOST_SYMBOLS, Choose, Column, Numbers, Text, finite, shown
from hartley.columns import DAMAGED
from hartley.errors import InputError

MOST_BYTES = 2**32
"""What the chosen arrays may declare together."""
SUSPICIOUS_BYTES, SUSPICIOUS_RATIO = 2**27, 100
"""Above so many bytes, an archive that unpacks to so many times its size is taken for one that is made to fill the memory."""
_TAKES = "takes (n,) or (n, d)"


def read_npz(path: Path, where: str, choose: Choose) -> tuple[list[Column], list[Column]]:
    """The chosen arrays of an .npz file as columns of x and of y, named as in the file. InputError says what is wrong where."""
    with _told(where), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist() if info.filename.endswith(".npy")}
        if not members:
            raise InputError(f"{where}: holds no arrays; takes what numpy.savez writes")
        names = list(members)
        chosen = choose(names)
        wanted = sorted({*chosen[0], *chosen[1]})
        total = sum(members[names[place]].file_size for place in wanted)
        if total > MOST_BYTES:
            raise InputError(f"{where}: the chosen arrays hold {total:,} bytes; takes at most {MOST_BYTES:,}: keep fewer rows")
        packed = max(1, sum(members[names[place]].compress_size for place in wanted))
        if total > SUSPICIOUS_BYTES and total > SUSPICIOUS_RATIO * packed:
            raise InputError(
                f"{where}: {packed:,} bytes unpack to {total:,}, more than numbers do; takes what numpy.savez writes of real data"
            )
        done = {place: _member(archive, members[names[place]], names[place], where) for place in wanted}
    return [done[place] for place in chosen[0]], [done[place] for place in chosen[1]]


def read_npy(path: Path, where: str, choose: Choose) -> tuple[list[Column], list[Column]]:
    """Columns of x and of y from an .npy file that holds one array (n, d); they are called by their number, from 1."""
    with _told(where), path.open("rb") as stream:
        array = _array(stream, path.stat().st_size, "the array", where)
    if array.ndim != 2 or array.shape[1] < 2:
        raise InputError(f"{where}: holds an array of shape {array.shape}, takes (n, d) with at least two columns")
    chosen = choose([f"column {place + 1}" for place in range(array.shape[1])])
    done = {
        place: _column(f"column {place + 1}", array[:, place], f"{where}: column {place + 1}") for place in sorted({*chosen[0], *chosen[1]})
    }
    return [done[place] for place in chosen[0]], [done[place] for place in chosen[1]]


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Whatever a broken file can raise becomes one line."""
    try:
        yield
    except InputError:
        raise
    except zipfile.BadZipFile as error:
        raise InputError(f"{where}: not a zip archive, or a damaged one ({shown(error)}); takes what numpy.savez writes") from None
    except (*DAMAGED, OSError) as error:
        raise InputError(f"{where}: cannot be read as arrays ({type(error).__name__}: {shown(error, 120)})") from None


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, where: str) -> Column:
    with archive.open(info) as stream:
        return _column(name, _array(stream, info.file_size, f"array {shown(name)}", where), f"{where}: array {shown(name)}")


def _array(stream: IO[bytes], size: int, what: str, where: str) -> NDArray[Any]:
    """The array in an .npy stream of `size` bytes, once its header is known to describe exactly that many."""
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise InputError(f"{where}: {what} is written in format {version[0]}.{version[1]}, takes 1.0 and 2.0")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise InputError(f"{where}: {what} holds pickled objects, which are never loaded; takes numbers, booleans or text")
    if dtype.kind not in "biufUS":
        raise InputError(f"{where}: {what} is of {dtype}, takes numbers that are not complex, booleans or text")
    if len(shape) not in (1, 2):
        raise InputError(f"{where}: {what} has shape {shape}, {_TAKES}")
    cells = 1
    for side in shape:
        cells *= side
    declared = cells * dtype.itemsize
    if declared > MOST_BYTES:
        raise InputError(f"{where}: {what} declares {declared:,} bytes (shape {shape}), takes at most {MOST_BYTES:,}: keep fewer rows")
    if declared == 0:
        raise InputError(f"{where}: {what} has shape {shape} of {dtype} and so holds nothing; {_TAKES}")
    held = size - stream.tell()
    if held != declared:
        raise InputError(f"{where}: {what} declares {declared:,} bytes (shape {shape}) and holds {held:,}")
    raw, filled = np.empty(declared, dtype=np.uint8), 0
    while filled < declared:
        chunk = stream.read(min(2**22, declared - filled))
        if not chunk:
            raise InputError(f"{where}: {what} is cut short")
        raw[filled : filled + len(chunk)] = np.frombuffer(chunk, dtype=np.uint8)
        filled += len(chunk)
    array = raw.view(dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _column(name: str, array: NDArray[Any], what: str) -> Column:
    """An array as a column; `what` begins the message of whatever is wrong with it."""
    if array.dtype.kind == "b":
        return _text(name, array, what)
    if array.dtype.kind in "US":
        if array.ndim == 2:
            raise InputError(f"{what}: text of shape {array.shape}, takes (n,)")
        return _text(name, array, what)
    finite(what, array)
    return Numbers(name, array)


def _text(name: str, array: NDArray[Any], what: str) -> Column:
    """Text and booleans (n,) as codes, block by block; booleans (n, d) stay numbers."""
    if array.ndim == 2:
        return Numbers(name, array.astype(np.uint8))
    codes = np.empty(len(array), dtype=np.int32)
    known: dict[str, int] = {}
    for start in range(0, len(array), 2**18):
        found, index = np.unique(array[start : start + 2**18], return_inverse=True)
        words = [word.decode("utf-8", "backslashreplace") if isinstance(word, bytes) else str(word) for word in found.tolist()]
        for word in words:
            known.setdefault(word, len(known))
        if len(known) > MOST_SYMBOLS:
            raise InputError(f"{what}: over {MOST_SYMBOLS:,} distinct symbols by row {start + 2**18:,}; group them")
        codes[start : start + 2**18] = np.array([known[word] for word in words], dtype=np.int32)[index]
    return Text(name, codes, tuple(known))
