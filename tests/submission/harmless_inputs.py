"""The table of harmless inputs: odd, but read as if they were not."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from perturbation.files import unfinished_name
from tests.submission.spoilers import (
    FLAGS,
    GENES,
    MODEL,
    PROPORTIONS,
    TRAINING,
    Place,
    Spoil,
    argument,
    dataset,
    dense,
    find,
    hdf5,
    obs,
    put,
    replace_file,
    table,
    text,
)

NOBODY = 2**22 + 1
"""More than any process has for a number."""


class Harmless(NamedTuple):
    """One odd input: who reads it, and how to make it."""

    door: str
    name: str
    spoil: Spoil


def stored(**options) -> Spoil:
    """Store the arrays of X again, chunked, compressed or otherwise."""

    def edit(file):
        for name in ("data", "indices", "indptr"):
            old = file[f"X/{name}"][...]
            del file[f"X/{name}"]
            file.create_dataset(f"X/{name}", data=old, **options)

    return hdf5(edit)


def backwards(file: h5py.File) -> None:
    """Give the genes of every cell in the opposite order."""
    starts = file["X/indptr"][...]
    for name in ("data", "indices"):
        old = file[f"X/{name}"][...]
        file[f"X/{name}"][...] = np.concatenate(
            [old[a:b][::-1] for a, b in itertools.pairwise(starts)]
        )


def with_zeros(file: h5py.File) -> None:
    """Store zeros too, with a minus sign, as rounding may leave them."""
    x = ad.io.read_elem(file["X"])
    full = x.toarray()
    full[full == 0] = -0.0
    del file["X"]
    x = type(x)((full.ravel(), np.tile(np.arange(60), 400), 60 * np.arange(401)), full.shape)
    ad.io.write_elem(file, "X", x)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Store labels as strings, not as categories."""
    frame["gene"] = frame["gene"].astype(object)
    return frame


def with_unused(frame: pd.DataFrame) -> pd.DataFrame:
    frame["gene"] = frame["gene"].cat.add_categories(["nobody", "NC2"])
    return frame


def through_a_link(name: str, place: Place) -> None:
    path = find(place, name)
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def compressed(place: Place) -> None:
    path = place.resources / MODEL
    with np.load(path) as file:
        found = dict(file)
    path.unlink()
    np.savez_compressed(path, **found)


def left_behind(*names: str) -> Spoil:
    """What a killed run leaves: the next one removes it."""

    def spoil(place: Place) -> None:
        for name in names:
            directory = place.resources if name.endswith(".npz") else place.prediction
            unfinished_name(directory / name, pid=NOBODY).write_bytes(b"half a file")

    return spoil


def as_(kind: Callable) -> Spoil:
    """Pass the names as another kind of list."""
    return lambda place: place.arguments.update(
        {n: kind(place.arguments[n]) for n in ("predict_perturbations", "genes_to_predict")}
    )


def as_paths(place: Place) -> None:
    paths = {name: Path(value) for name, value in place.arguments.items() if "path" in name}
    place.arguments.update(paths)


TRAIN = {
    "X compressed": stored(compression="gzip"),
    "X shuffled and with checksums": stored(chunks=(97,), shuffle=True, fletcher32=True),
    "X in one chunk": stored(chunks=True),
    "X in columns": put("X", lambda x: x.tocsc()),
    "X dense": dense(np.asarray),
    "X dense and compressed": hdf5(lambda f: dense_gzip(f)),
    "pointers of 64 bits": dataset("X/indptr", lambda p: p.astype(np.int64)),
    "indices of 64 bits": dataset("X/indices", lambda i: i.astype(np.int64)),
    "unsigned pointers": dataset("X/indptr", lambda p: p.astype(np.uint32)),
    "unsigned indices": dataset("X/indices", lambda i: i.astype(np.uint16)),
    "values of the other byte order": dataset("X/data", lambda d: d.astype(">f8")),
    "indices of the other byte order": dataset("X/indices", lambda i: i.astype(">i4")),
    "indices that descend": hdf5(backwards),
    "stored zeros": hdf5(with_zeros),
    "a layer of counts": put("layers", {"counts": np.ones((400, 60))}),
    "no layers, no uns": hdf5(lambda f: [f.pop(n, None) for n in ("layers", "uns", "obsm")]),
    "unused categories": put("obs", with_unused),
    "labels as text": put("obs", as_text),
    "columns that nobody reads": obs(batch="a", score=np.nan),
    "no pools": obs(SampleID=None, Day=None, num_umis=None),
    "flags as booleans": obs(**dict.fromkeys(FLAGS, lambda c: c.astype(bool))),
    "flags with a decimal point": obs(**dict.fromkeys(FLAGS, lambda c: c.astype(float))),
    "flags of one byte": obs(**dict.fromkeys(FLAGS, lambda c: c.astype(np.int8))),
    "flags as categories": obs(**dict.fromkeys(FLAGS, lambda c: c.astype("category"))),
    "no cell names": hdf5(lambda f: f["obs"].__delitem__("_index")),
    "cell names twice": put("obs", lambda o: o.set_axis(["cell"] * len(o))),
    "columns in var": put("var", lambda v: v.assign(chromosome="1", variable=True)),
    "training cells through a link": partial(through_a_link, TRAINING),
    "proportions through a link": partial(through_a_link, PROPORTIONS),
    "a byte-order mark": text(PROPORTIONS, lambda t: "\ufeff" + t),
    "CRLF": text(PROPORTIONS, lambda t: t.replace("\n", "\r\n")),
    "blank lines at the end": text(PROPORTIONS, lambda t: t + "\n\n \n"),
    "no line break at the end": text(PROPORTIONS, str.rstrip),
    "quoted": text(PROPORTIONS, lambda t: t.replace("NC,", '"NC",').replace("gene,", '"gene",')),
    "columns in another order": table(lambda t: t[t.columns[::-1]]),
    "rows in another order": table(lambda t: t[::-1]),
    "no lipo_adipo": table(lambda t: t.drop(columns="lipo_adipo")),
    "proportions of others too": table(lambda t: pd.concat([t, t[:1].assign(gene="ELSE")])),
    "a row rounded": table(lambda t: pd.concat([t, rounded(t[:1])])),
    "an unfinished model": left_behind("model.npz"),
}


def rounded(row: pd.DataFrame) -> pd.DataFrame:
    return row.assign(gene="ELSE", pre_adipo=0.33, adipo=0.33, other=0.33, lipo=0.33)


def dense_gzip(file: h5py.File) -> None:
    x = ad.io.read_elem(file["X"]).toarray()
    del file["X"]
    file.create_dataset("X", data=x, chunks=(16, 16), compression="gzip")


INFER = {
    "tuples": as_(tuple),
    "numpy arrays": as_(np.array),
    "numpy objects": as_(lambda names: np.array(names, dtype=object)),
    "pandas indices": as_(pd.Index),
    "pandas series": as_(lambda names: pd.Series(names, index=range(7, 7 + len(names)))),
    "iterators": as_(iter),
    "keys": as_(lambda names: dict.fromkeys(names).keys()),
    "paths that are no text": as_paths,
    "no data directory": argument(data_directory_path=None, prediction_directory_path=None),
    "a compressed model": compressed,
    "files beside the model": lambda place: (place.resources / "notes.txt").write_text("mine"),
    "unfinished predictions": left_behind("prediction.h5ad", "predict_program_proportion.csv"),
    "a prediction directory missing": lambda place: place.prediction.rmdir(),
    "an old prediction": lambda place: (place.prediction / "prediction.h5ad").write_text("old"),
}

NAMES = {
    "a byte-order mark": text(GENES, lambda t: "\ufeff" + t),
    "CRLF": text(GENES, lambda t: t.replace("\n", "\r\n")),
    "old Macintosh lines": text(GENES, lambda t: t.replace("\n", "\r")),
    "blank lines at the end": text(GENES, lambda t: t + "\n\n  \n"),
    "blank lines between": text(GENES, lambda t: t.replace("\n", "\n\n")),
    "no line break at the end": text(GENES, str.rstrip),
    "spaces around": text(GENES, lambda t: t.replace("\n", " \n\t")),
    "a byte-order mark and CRLF": lambda place: replace_file(
        place.data / GENES,
        b"\xef\xbb\xbf" + (place.data / GENES).read_bytes().replace(b"\n", b"\r\n"),
    ),
}

HARMLESS = [
    Harmless(door, f"{door}: {name}", spoil)
    for door, cases in {"train": TRAIN, "infer": INFER, "names": NAMES}.items()
    for name, spoil in cases.items()
]
