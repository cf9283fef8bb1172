"""Gene sets (GO, PubMed, Pfam) and aliases from the databases of org.Hs.eg.db and GO.db.

The two sqlite files lie in the Debian packages r-bioc-org.hs.eg.db and r-bioc-go.db, and in the
archives of the same name on bioconductor.org. Neither R nor an installation is needed:

    (cd data/packages && apt-get download r-bioc-org.hs.eg.db r-bioc-go.db)
    for package in data/packages/*.deb; do dpkg -x "$package" data/packages; done
    python -m tools.gene_features.bioconductor data/packages data/gene_sets
"""

import gzip
import sqlite3
import sys
from collections import defaultdict
from contextlib import closing
from functools import partial
from pathlib import Path

from evaluation.command import command_parser, ending
from perturbation.errors import InputError
from perturbation.files import whole_file

SET_SIZES = {"GO": (5, 1500), "PubMed": (2, 100), "Pfam": (2, 1500)}
"""Least and most genes of a set that is kept: smaller says nothing, larger says too little."""

_PAIRS = "SELECT DISTINCT {}, symbol FROM {} JOIN gene_info USING (_id)"
_SETS = {"GO": ("go_id", "go_all"), "PubMed": ("pubmed_id", "pubmed"), "Pfam": ("pfam_id", "pfam")}
"""Column and table. go_all holds each gene under the ancestors of its terms too (GO2ALLEGS)."""
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
    genes = partial(_query, packages, "org.Hs.eg.sqlite")
    date = dict(genes("SELECT name, value FROM metadata"))
    names = dict(_query(packages, "GO.sqlite", _GO_NAMES))
    ncbi, uniprot = f"NCBI Gene {date['EGSOURCEDATE']}", f"UniProt of {date['UPSOURCEDATE']}"
    notes = {
        "GO": (f"GO {date['GOSOURCEDATE']}, annotations of {ncbi}", "CC-BY 4.0"),
        "PubMed": (ncbi, "public domain (NCBI)"),
        "Pfam": (f"domains in {uniprot}", "CC0 1.0 (Pfam), CC-BY 4.0 (UniProt)"),
    }
    for source, (version, licence) in notes.items():
        sets = gene_sets(genes(_PAIRS.format(*_SETS[source])), SET_SIZES[source])
        lines = ("\t".join([term, names.get(term, ""), *of]) for term, of in sets.items())
        comments = [f"# version: {version}", f"# licence: {licence}"]
        _write(out / f"{source}.gmt.gz", [*comments, *lines])
    aliases = sorted(genes(_PAIRS.format("alias_symbol", "alias")))
    _write(out / "aliases.tsv.gz", ["alias\tsymbol", *map("\t".join, aliases)])


def gene_sets(pairs: list[tuple[str, str]], sizes: tuple[int, int]) -> dict[str, list[str]]:
    """Sorted genes of every set that has at least sizes[0] and at most sizes[1] of them.

    Parameters
    ----------
    pairs
        (set, gene), each once. A pair without a set (empty or None) is passed over.
    """
    members = defaultdict(list)
    for gene_set, gene in sorted(pair for pair in pairs if pair[0]):
        members[gene_set].append(gene)
    return {name: of for name, of in members.items() if sizes[0] <= len(of) <= sizes[1]}


def _write(path: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines).encode()
    with whole_file(path) as unfinished:
        unfinished.write_bytes(gzip.compress(text, mtime=0))  # no time stamp: always the same bytes
    print(f"{path}: {sum(not line.startswith('#') for line in lines):,} lines")


def _query(packages: Path, name: str, query: str) -> list[tuple[str, str]]:
    found = sorted(packages.rglob(name))
    if len(found) != 1:
        raise InputError(
            f"{packages} holds {len(found)} files named {name}, expected 1. Unpack the packages "
            "r-bioc-org.hs.eg.db and r-bioc-go.db there (see resources/README.md)."
        )
    try:
        with closing(sqlite3.connect(f"{found[0].absolute().as_uri()}?mode=ro", uri=True)) as file:
            return file.execute(query).fetchall()
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{found[0]} is not the database it should be: {error}. Unpack the package again."
        ) from error


if __name__ == "__main__":
    sys.exit(ending(main))
