"""Gene sets and aliases from the databases of org.Hs.eg.db and GO.db, in miniature."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing

import pytest

from perturbation.errors import InputError
from tools.gene_features import bioconductor


@pytest.fixture
def packages(tmp_path):
    """Both databases in miniature: six genes of one GO term, two of a paper and a domain."""
    directory = tmp_path / "packages" / "extdata"
    directory.mkdir(parents=True)
    with closing(sqlite3.connect(directory / "GO.sqlite")) as go:
        go.execute("CREATE TABLE go_term (go_id, term)")
        go.executemany("INSERT INTO go_term VALUES (?, ?)", [("GO:1", "one"), ("GO:2", "two")])
        go.commit()
    with closing(sqlite3.connect(directory / "org.Hs.eg.sqlite")) as genes:
        columns = {"gene_info": "symbol", "go_all": "go_id", "pubmed": "pubmed_id"}
        columns |= {"pfam": "pfam_id", "alias": "alias_symbol"}
        for table, column in columns.items():
            genes.execute(f"CREATE TABLE {table} (_id, {column})")
        rows = {
            "gene_info": list(enumerate("FEDCBA")),
            "go_all": [(n, "GO:1") for n in range(6)] * 2 + [(n, "GO:2") for n in range(4)],
            "pubmed": [(0, "11"), (1, "11"), (2, "12")],
            "pfam": [(0, "PF1"), (1, "PF1"), (2, None), (3, None)],
            "alias": [(0, "F"), (0, "OLD")],
        }
        for table, values in rows.items():
            genes.executemany(f"INSERT INTO {table} VALUES (?, ?)", values)
        genes.execute("CREATE TABLE metadata (name, value)")
        dates = [(name, "2022") for name in ("EGSOURCEDATE", "GOSOURCEDATE", "UPSOURCEDATE")]
        genes.executemany("INSERT INTO metadata VALUES (?, ?)", dates)
        genes.commit()
    return tmp_path / "packages"


def test_sets_of_the_databases_are_within_sizes_and_named(packages, tmp_path):
    bioconductor.main([str(packages), str(tmp_path / "sets")])
    read = {
        path.name: [
            line
            for line in gzip.decompress(path.read_bytes()).decode().splitlines()
            if not line.startswith("#")
        ]
        for path in (tmp_path / "sets").iterdir()
    }
    assert read["GO.gmt.gz"] == ["GO:1\tone\tA\tB\tC\tD\tE\tF"]  # GO:2 has four genes, too few
    assert read["PubMed.gmt.gz"] == ["11\t\tE\tF"]
    assert read["Pfam.gmt.gz"] == ["PF1\t\tE\tF"]
    assert read["aliases.tsv.gz"] == ["alias\tsymbol", "F\tF", "OLD\tF"]


def test_the_databases_give_the_same_bytes_twice(packages, tmp_path):
    for name in ("one", "two"):
        bioconductor.main([str(packages), str(tmp_path / name)])
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_missing_or_wrong_databases_are_told_in_a_sentence(packages, tmp_path):
    with pytest.raises(InputError, match=r"holds 0 files named org\.Hs\.eg\.sqlite, expected 1"):
        bioconductor.main([str(tmp_path / "empty"), str(tmp_path / "sets")])
    next(packages.rglob("GO.sqlite")).write_text("text")
    with pytest.raises(InputError, match=r"GO\.sqlite is not the database it should be"):
        bioconductor.main([str(packages), str(tmp_path / "sets")])
