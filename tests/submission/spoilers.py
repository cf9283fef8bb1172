"""Ways to spoil a copy of a competition, a model or the arguments of a call."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anndata as ad
import h5py
import numpy as np
import pandas as pd


class Place(NamedTuple):
    """Directories of one run, and the arguments of infer() that replace the right ones."""

    data: Path
    resources: Path
    prediction: Path
    arguments: dict[str, Any]


Spoil = Callable[[Place], None]


TRAINING, TRUTH = "obesity_challenge_1.h5ad", "obesity_challenge_1_local_gtruth.h5ad"
PROPORTIONS, TRUE_PROPORTIONS = "program_proportion.csv", "program_proportion_local_gtruth.csv"
GENES = "genes_to_predict.txt"
MODEL, FEATURES = "model.npz", "gene_features.npz"
FLAGS = ["pre_adipo", "adipo", "other", "lipo"]


# Ways to spoil a file


def write(name: str, content: bytes | str) -> Spoil:
    """Replace a file of the data directory, or of resources/ if it is an npz."""
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda place: replace_file(find(place, name), raw)


def find(place: Place, name: str) -> Path:
    return (place.resources if name.endswith(".npz") else place.data) / name


def replace_file(path: Path, content: bytes) -> None:
    path.unlink()  # it may be a link to a file that other tests use
    path.write_bytes(content)


def remove(name: str) -> Spoil:
    return lambda place: find(place, name).unlink()


def into_directory(name: str) -> Spoil:
    def spoil(place):
        find(place, name).unlink()
        find(place, name).mkdir()

    return spoil


def cut(name: str, share: float) -> Spoil:
    """Keep only the first part of a file."""

    def spoil(place):
        whole = find(place, name).read_bytes()
        replace_file(find(place, name), whole[: int(share * len(whole))])

    return spoil


def text(name: str, edit: Callable[[str], str], encoding: str = "utf-8") -> Spoil:
    def spoil(place):
        old = find(place, name).read_text(encoding="utf-8")
        replace_file(find(place, name), edit(old).encode(encoding))

    return spoil


def table(edit: Callable[[pd.DataFrame], pd.DataFrame], name: str = PROPORTIONS) -> Spoil:
    def spoil(place):
        edit(pd.read_csv(find(place, name))).to_csv(find(place, name), index=False)

    return spoil


def hdf5(edit: Callable[[h5py.File], None], name: str = TRAINING) -> Spoil:
    def spoil(place):
        with h5py.File(find(place, name), "r+") as file:
            edit(file)

    return spoil


def put(key: str, value: Any, name: str = TRAINING) -> Spoil:
    """Replace an element of the h5ad file; `value` may be a function of what stands there."""

    def edit(file):
        new = value(ad.io.read_elem(file[key])) if callable(value) else value
        if key in file:
            del file[key]
        group, _, name = key.rpartition("/")
        ad.io.write_elem(file[group or "/"], name, new)

    return hdf5(edit, name)


def dataset(key: str, value: Callable[[np.ndarray], Any]) -> Spoil:
    """Replace the array of a dataset inside an element, whatever the type."""

    def edit(file):
        attributes, new = dict(file[key].attrs), value(file[key][...])
        del file[key]
        file[key] = new
        file[key].attrs.update(attributes)

    return hdf5(edit)


def at(position: int | slice, value: Any) -> Callable[[np.ndarray], np.ndarray]:
    def change(array):
        array[position] = value
        return array

    return change


def obs(**columns: Any) -> Spoil:
    """Change columns of obs; a function gets the old values, None drops the column."""

    def change(frame):
        for column, value in columns.items():
            if value is None:
                frame = frame.drop(columns=column)
            else:
                frame[column] = value(frame[column]) if callable(value) else value
        return frame

    return put("obs", change)


def labels(old: str, new: Any) -> Spoil:
    return obs(gene=lambda column: pd.Categorical(column.astype(object).replace(old, new)))


def genes(change: Callable[[list[str]], list], name: str = TRAINING) -> Spoil:
    return put("var", lambda var: pd.DataFrame(index=change(list(var.index))), name)


def arrays(name: str, **changes: Any) -> Spoil:
    """Change arrays of an npz file; a function gets the old one and all, None drops it."""

    def spoil(place):
        with np.load(find(place, name), allow_pickle=False) as file:
            found = dict(file)
        for key, value in changes.items():
            key = key.replace("__", ".")
            if value is None:
                del found[key]
            else:
                found[key] = value(found[key]) if callable(value) else value
        find(place, name).unlink()
        np.savez(find(place, name), **found)

    return spoil


def member(name: str, key: str, content: bytes) -> Spoil:
    """Replace one file inside an npz archive by raw bytes."""

    def spoil(place):
        with zipfile.ZipFile(find(place, name)) as archive:
            old = {n: archive.read(n) for n in archive.namelist() if n.split(".npy")[0] != key}
        find(place, name).unlink()
        with zipfile.ZipFile(find(place, name), "w") as archive:
            for n, raw in (old | {key: content}).items():
                archive.writestr(n, raw)

    return spoil


def damaged(name: str, at_share: float) -> Spoil:
    """Change 64 bytes in the middle of the file."""

    def spoil(place):
        raw = bytearray(find(place, name).read_bytes())
        start = int(at_share * len(raw))
        raw[start : start + 64] = bytes(byte ^ 0xFF for byte in raw[start : start + 64])
        replace_file(find(place, name), bytes(raw))

    return spoil


def argument(**values: Any) -> Spoil:
    """Call infer() with other arguments; a function gets the place."""
    return lambda place: place.arguments.update(
        {name: value(place) if callable(value) else value for name, value in values.items()}
    )


def damaged_chunk(place: Place) -> None:
    """Compress X with a checksum, and change a byte of a chunk."""

    def edit(file):
        old = file["X/data"][...]
        del file["X/data"]
        file.create_dataset("X/data", data=old, chunks=(1000,), compression="gzip", fletcher32=True)
        chunk = file["X/data"].id.get_chunk_info(3)
        return chunk.byte_offset, chunk.size

    with h5py.File(place.data / TRAINING, "r+") as file:
        offset, size = edit(file)
    with (place.data / TRAINING).open("r+b") as raw:
        raw.seek(offset + size // 2)
        raw.write(b"\xff\x00\xff\x00")


def without_group(*names: str) -> Callable[[h5py.File], None]:
    def edit(file):
        for name in names:
            del file[name]

    return edit


def named(name: str, value: Any) -> Callable[[h5py.File], None]:
    """Set an attribute of X."""
    return lambda file: file["X"].attrs.__setitem__(name, value)


def dense(change: Callable[[np.ndarray], Any]) -> Spoil:
    return put("X", lambda x: change(x.toarray()))


def complex_x(file: h5py.File) -> None:
    old = file["X/data"][...]
    del file["X/data"]
    file["X/data"] = old.astype(complex)


def data_group(file: h5py.File) -> None:
    del file["X/data"]
    file.create_group("X/data")


def one_array(path: Path) -> None:
    path.unlink()
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def below_a_file(name: str) -> Callable[[Place], str]:
    """A path inside what is a file."""
    return lambda place: str(place.resources / MODEL / name)


def a_directory(place: Place) -> str:
    return str(place.data)


def text_x(file: h5py.File) -> None:
    del file["X"]
    file["X"] = np.full((400, 60), b"1.5")
