"""Reading that only judging and looking need: lists of genes, some cells, vectors in uns."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np
from scipy import sparse

from perturbation.data.h5ad import CellsFile, read_columns
from perturbation.data.names import check_names, columns_of, listed
from perturbation.data.summary import within
from perturbation.errors import InputError, reading


def read_names(path: str | Path) -> list[str]:
    """Read gene names, one a line; blank lines, a byte-order mark and CRLF are harmless.

    Raises
    ------
    InputError
        If the file is missing, not UTF-8, empty, or not one name a line, each once.
    """
    path = Path(path)
    with reading(path, "UTF-8 text"):
        text = path.read_text(encoding="utf-8-sig")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if wrong := [line for line in lines if set(line) & set(" \t,;")]:
        raise InputError(f"{path} must hold one gene name a line, found {wrong[0][:40]!r}.")
    return check_names(lines, str(path))


def check_known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise InputError where a name is none of those known, with names like it."""
    known = set(known)
    # subtle: ALB and Alb are two genes; of two alike the one in capitals is proposed
    by_capitals = {gene.upper(): gene for gene in sorted(known, reverse=True)}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name.upper(), by_capitals, cutoff=0.75)
            like = f" Did you mean {listed([by_capitals[n] for n in near])}?" if near else ""
            raise InputError(f"{name} is no {what}.{like}")


def columns_in(file: CellsFile, genes: Sequence[str], source: Path) -> np.ndarray:
    """(len(genes),) column of each gene that `source` names; InputError if one is not there."""
    cure = "Both must come from one download."
    return columns_of(file.genes, genes, f"names in {source}", str(file.path), cure)


def read_cells(file: CellsFile, rows: np.ndarray) -> sparse.csr_array:
    """(len(rows), n_genes) float64, the cells of these ascending rows."""
    parts = [block[within(rows, inside)] for inside, _, block in file.blocks(rows=rows)]
    stack = sparse.vstack if parts[0].format == "csr" else sparse.hstack
    return stack(parts, format="csr")


def cells_of(file: CellsFile, perturbation: str, columns: np.ndarray) -> np.ndarray:
    """(n, len(columns)) as stored, the cells of a perturbation in file order, some genes."""
    cells = read_cells(file, np.flatnonzero(file.labels == perturbation))
    return cells[:, columns].astype(file.dtype).toarray()


def read_uns(file: CellsFile, name: str) -> np.ndarray:
    """(n_genes,) float64, the values of uns[name]; InputError if these are not so many numbers."""
    with reading(file.path), h5py.File(file.path) as stored:
        found = np.zeros(0)
        if f"uns/{name}" in stored:
            values = read_columns(stored["uns"], [name], file.path)[name]
            found = values.to_numpy(np.float64)
    if len(found) != len(file.genes) or not np.isfinite(found).all():
        raise InputError(
            f"uns['{name}'] of {file.path} holds {len(found):,} values, expected one finite number "
            f"for each of {len(file.genes):,} genes. Run `crunch download`."
        )
    return found
