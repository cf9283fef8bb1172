"""Gene sets (GO, PubMed, Pfam) and aliases from the databases of org.Hs.eg.db and GO.db.

The two sqlite files lie in the Debian packages r-bioc-org.hs.eg.db and r-bioc-go.db, and in the
archives of the same name on bioconductor.org. Neither R nor an installation is needed:

    (cd data/packages && apt-get download r-bioc-org.hs.eg.db r-bioc-go.db)
    for package in data/packages/*.deb; do dpkg -x "$package" data/packages; done
    python -m tools.gene_features.bioconductor data/packages data/gene_sets
"""

from __future__ import annotations

import gzip
import sqlite3
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path

from evaluation.command import command_parser, ending
from perturbation.errors import InputError

SET_SIZES = {"GO": (5, 1500), "PubMed": (2, 100), "Pfam": (2, 1500)}
"""Least and most genes of a set that is kept: smaller says nothing, larger says too little."""

_SETS = {
    "GO": "SELECT DISTINCT go_id, symbol FROM go_all JOIN gene_info USING (_id)",
    "PubMed": "SELECT DISTINCT pubmed_id, symbol FROM pubmed JOIN gene_info USING (_id)",
    "Pfam": "SELECT DISTINCT pfam_id, symbol FROM pfam JOIN gene_info USING (_id)",
}
"""go_all holds each gene under the ancestors of its terms too (Bioconductor's GO2ALLEGS)."""
_ALIASES = "SELECT DISTINCT alias_symbol, symbol FROM alias JOIN gene_info USING (_id)"
_GO_NAMES = "SELECT go_id, term FROM go_term"


def main(arguments: list[str] | None = None) -> None:
    """Write GO.gmt.gz, PubMed.gmt.gz, Pfam.gmt.gz and aliases.tsv.gz."""
    parser = command_parser(__doc__)
    parser.add_argument("packages", type=Path, help="directory with the two sqlite files in it")
    parser.add_argument("out", type=Path, help="directory to write to")
    options = parser.parse_args(arguments)
    write_gene_sets(options.packages, options.out)


def write_gene_sets(packages: Path, out: Path) -> None:
    """Write the three tables of gene sets and the table of aliases into the directory `out`.

    Parameters
    ----------
    packages
        Searched, with all directories below it, for org.Hs.eg.sqlite and GO.sqlite.
    out
        Made if missing. The same databases give the same bytes.

    Raises
    ------
    InputError
        If a database is missing or is not what its name says.
    """
    genes = _find(packages, "org.Hs.eg.sqlite")
    names = dict(_query(_find(packages, "GO.sqlite"), _GO_NAMES))
    date = dict(_query(genes, "SELECT name, value FROM metadata"))
    ncbi, uniprot = f"NCBI Gene {date['EGSOURCEDATE']}", f"UniProt of {date['UPSOURCEDATE']}"
    out.mkdir(parents=True, exist_ok=True)
    notes = {
        "GO": (f"GO {date['GOSOURCEDATE']}, annotations of {ncbi}", "CC-BY 4.0"),
        "PubMed": (ncbi, "public domain (NCBI)"),
        "Pfam": (f"domains in {uniprot}", "CC0 1.0 (Pfam), CC-BY 4.0 (UniProt)"),
    }
    for source, (version, licence) in notes.items():
        sets = gene_sets(_query(genes, _SETS[source]), SET_SIZES[source])
        write_gmt(out / f"{source}.gmt.gz", sets, names, version, licence)
    aliases = ("\t".join(pair) for pair in sorted(_query(genes, _ALIASES)))
    _write(out / "aliases.tsv.gz", ["alias\tsymbol", *aliases])


def gene_sets(pairs: list[tuple[str, str]], sizes: tuple[int, int]) -> dict[str, list[str]]:
    """Sorted genes of every set that has at least sizes[0] and at most sizes[1] of them.

    Parameters
    ----------
    pairs
        (set, gene). A pair without a set (empty or None) is passed over.
    """
    members = defaultdict(set)
    for gene_set, gene in pairs:
        if gene_set:
            members[gene_set].add(gene)
    least, most = sizes
    kept = sorted(name for name, genes in members.items() if least <= len(genes) <= most)
    return {name: sorted(members[name]) for name in kept}


def write_gmt(
    path: Path, sets: dict[str, list[str]], names: dict[str, str], version: str, licence: str
) -> None:
    """Write sets as GMT (set, name, genes), with version and licence as comments above."""
    lines = ("\t".join([term, names.get(term, ""), *genes]) for term, genes in sets.items())
    _write(path, [f"# version: {version}", f"# licence: {licence}", *lines])


def _write(path: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text, mtime=0))  # no time stamp: the same bytes every time
    print(f"{path}: {sum(not line.startswith('#') for line in lines):,} lines")


def _find(directory: Path, name: str) -> Path:
    found = sorted(directory.rglob(name))
    if len(found) != 1:
        raise InputError(
            f"{directory} holds {len(found)} files named {name}, expected 1. Unpack the packages "
            "r-bioc-org.hs.eg.db and r-bioc-go.db there (see resources/README.md)."
        )
    return found[0]


def _query(path: Path, query: str) -> list[tuple[str, str]]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{path} is not the database it should be: {error}. Unpack the package again."
        ) from error


if __name__ == "__main__":
    sys.exit(ending(main))
