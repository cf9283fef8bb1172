"""An h5ad file written in pieces, X in any of the ways in which a file may store it."""

from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse


def write_frame(
    file: h5py.File, obs: pd.DataFrame, genes: np.ndarray, uns: dict[str, np.ndarray]
) -> None:
    """Write all that an h5ad file holds beside X and layers.

    Parameters
    ----------
    file
        Open for writing.
    obs
        One row a cell; columns of strings are stored as categories.
    genes
        Names of the columns of X.
    uns
        Arrays by name.
    """
    strings = [name for name in obs if not pd.api.types.is_numeric_dtype(obs[name])]
    file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    ad.io.write_elem(file, "obs", obs.astype(dict.fromkeys(strings, "category")))
    ad.io.write_elem(file, "var", pd.DataFrame(index=genes))
    ad.io.write_elem(file, "uns", uns)
    for name in sorted({"layers", "obsm", "obsp", "varm", "varp"} - file.keys()):
        ad.io.write_elem(file, name, {})


def create_csr(parent: h5py.Group, name: str, shape: tuple[int, int], n_stored: int) -> h5py.Group:
    """Create an empty CSR matrix, float64 and int32, that `append_csr` fills.

    Parameters
    ----------
    parent, name
        Where it goes.
    shape
        Of the whole matrix.
    n_stored
        Expected number of stored values; decides only how long a chunk is.
    """
    group = parent.create_group(name)
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
    group.attrs["shape"] = np.array(shape)
    for part, dtype in (("data", np.float64), ("indices", np.int32)):
        chunk = chunk_length(n_stored, np.dtype(dtype).itemsize)
        group.create_dataset(part, (0,), dtype, maxshape=(None,), chunks=(chunk,))
    index = np.int32 if n_stored < 2**31 * 0.9 else np.int64
    group.create_dataset("indptr", data=np.zeros(shape[0] + 1, index), maxshape=(None,))
    return group


def append_csr(group: h5py.Group, first_row: int, block: sparse.csr_array) -> None:
    """Put `block` after the values written so far; its first row is `first_row`."""
    start = group["data"].shape[0]
    for part in ("data", "indices"):
        group[part].resize((start + block.nnz,))
        group[part][start:] = getattr(block, part)
    last_row = first_row + block.shape[0]
    group["indptr"][first_row + 1 : last_row + 1] = start + block.indptr[1:].astype(np.int64)


def chunk_length(n_values: int, itemsize: int) -> int:
    """Values in a chunk by the rule h5py applies, which anndata leaves it to.

    About 16 KiB for a dataset of 1 MiB, and twice as much for each tenfold.
    """
    n_bytes = max(n_values, 1024) * itemsize
    target = np.clip(2**14 * 2 ** np.log10(n_bytes / 2**20), 2**13, 2**20)
    while n_bytes >= 1.5 * target:
        n_bytes = -(-n_bytes // 2)
    return int(-(-n_bytes // itemsize))


def rewrite_x(
    path: Path,
    *,
    layout: str = "csr",
    chunked: bool = True,
    compression: str | None = None,
    indices_dtype: str = "int32",
    indptr_dtype: str = "int32",
) -> None:
    """Store X of an h5ad file in another way; all of X is held in memory.

    Parameters
    ----------
    path
        The file, replaced.
    layout
        "csr", "csc" or "dense".
    chunked
        False for contiguous datasets.
    compression
        None or "gzip", which needs chunks.
    indices_dtype, indptr_dtype
        Whole numbers of the sparse layouts.
    """
    with h5py.File(path) as file:
        matrix = ad.io.read_elem(file["X"])
    other = path.with_suffix(".rewritten")
    options = {"chunks": True, "compression": compression} if chunked else {}
    with h5py.File(path) as old, h5py.File(other, "w") as new:
        new.attrs.update(old.attrs)
        for name in sorted(old.keys() - {"X"}):
            old.copy(name, new)
        if layout == "dense":
            x = new.create_dataset("X", data=matrix.toarray(), **options)
            x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        else:
            matrix = matrix.asformat(layout)
            _write_sparse(new, matrix, {"indices": indices_dtype, "indptr": indptr_dtype}, options)
    other.replace(path)


def _write_sparse(
    file: h5py.File,
    matrix: sparse.csr_array | sparse.csc_array,
    dtypes: dict[str, str],
    options: dict[str, bool | str | None],
) -> None:
    group = file.create_group("X")
    encoding = {"encoding-type": f"{matrix.format}_matrix", "encoding-version": "0.1.0"}
    group.attrs.update(encoding)
    group.attrs["shape"] = np.array(matrix.shape)
    group.create_dataset("data", data=matrix.data, **options)
    for name, dtype in dtypes.items():
        group.create_dataset(name, data=getattr(matrix, name).astype(dtype), **options)
