"""The builder of gene features: every form of input, worked examples by hand, its errors."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from perturbation.model.gene_features import load_gene_features
from tools.gene_features import bioconductor as gene_sets_from_bioconductor
from tools.gene_features import build as build_gene_features
from tools.gene_features import coverage as gene_coverage
from tools.gene_features import tables

GMT = "S1\tfirst set\tA\tB\nS2\tsecond set\tA\tC\tD\nS3\tof one gene\tB\n"
TSV = "gene\tset\nA\tS1\nB\tS1\nA\tS2\nC\tS2\nD\tS2\nB\tS3\n"


@pytest.fixture
def file(tmp_path):
    """Write a text into a file of the given name, gzipped if it ends in .gz."""

    def write(name: str, text: str):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
        return path

    return write


@pytest.fixture
def build(tmp_path):
    """Run the builder; return the features it wrote."""

    def run(*arguments, name="out.npz"):
        build_gene_features.main([str(tmp_path / name), *map(str, arguments)])
        return load_gene_features(tmp_path / name)

    return run


def same(a, b) -> bool:
    """Whether two features hold the same numbers for the same genes and terms."""
    return (
        a.genes.tolist() == b.genes.tolist()
        and list(a.sources) == list(b.sources)
        and all(
            s.terms.tolist() == t.terms.tolist() and (s.rows != t.rows).nnz == 0
            for s, t in zip(a.sources.values(), b.sources.values(), strict=True)
        )
    )


# Gene sets


def test_weights_of_sets_worked_by_hand(file, build):
    """4 genes: S1 of two weighs log 2, S2 of three log 4/3; S3 of one is left out."""
    features = build("--gene-sets", f"GO={file('go.gmt', GMT)}")
    source = features.sources["GO"]
    assert source.terms.tolist() == ["S1", "S2"]
    assert source.term_names.tolist() == ["first set", "second set"]
    expected = [[0.923610, 0.383333], [1, 0], [0, 1], [0, 1]]  # 0.693147 and 0.287682 / 0.750476
    np.testing.assert_allclose(source.rows.toarray(), expected, atol=2e-6)
    np.testing.assert_allclose(features.kernel("GO", ["A"], ["C"]), 0.383333, atol=2e-6)


def test_gmt_and_table_give_the_same_features(file, build):
    gmt = build("--gene-sets", f"GO={file('a.gmt', GMT)}")
    assert same(gmt, build("--gene-sets", f"GO={file('b.tsv', TSV)}"))
    assert same(gmt, build("--gene-sets", f"GO={file('c.tsv', TSV.split('set', 1)[1])}"))


def test_gzipped_files_give_the_same_features(file, build):
    plain = build("--gene-sets", f"GO={file('a.gmt', GMT)}")
    assert same(plain, build("--gene-sets", f"GO={file('a.gmt.gz', GMT)}"))
    assert same(plain, build("--gene-sets", f"GO={file('b.tsv.gz', TSV)}"))


def test_order_and_repeats_of_lines_do_not_matter(file, build):
    lines = TSV.splitlines()
    shuffled = "\n".join([lines[0], *reversed(lines[1:]), lines[2], ""])
    assert same(
        build("--gene-sets", f"GO={file('a.tsv', TSV)}"),
        build("--gene-sets", f"GO={file('b.tsv', shuffled)}"),
    )


def test_a_file_without_name_lends_its_own(file, build):
    assert list(build("--gene-sets", file("Reactome.gmt", GMT)).sources) == ["Reactome"]


def test_an_option_given_twice_counts_twice(file, build):
    one, two = file("One.gmt", GMT), file("Two.gmt", GMT)
    assert list(build("--gene-sets", one, "--gene-sets", two).sources) == ["One", "Two"]


def test_comments_and_notes_give_version_and_licence(file, build):
    text = f"# version: GO 2022\n# licence: CC-BY 4.0\n{GMT}"
    paths = file("GO.gmt", text), file("Other.gmt", GMT), file("Silent.gmt", GMT)
    sources = build("--gene-sets", *paths, "--note", "Other", "v1", "CC0").sources
    said = {name: (source.version, source.licence) for name, source in sources.items()}
    assert said["GO"] == ("GO 2022", "CC-BY 4.0")
    assert said["Other"] == ("v1", "CC0")
    assert said["Silent"] == ("not stated", "not stated")


# Aliases


def test_only_unambiguous_aliases_that_are_no_symbols_are_mapped():
    pairs = [("A", "A"), ("B", "B"), ("OLD", "A"), ("BOTH", "A"), ("BOTH", "B"), ("B", "A")]
    assert tables.unambiguous_aliases(pairs) == {"OLD": "A"}


def test_aliases_are_mapped_in_files_and_in_requests(file, build):
    aliases = file("aliases.tsv", "alias\tsymbol\nOLD\tA\nUNUSED\tZ\n")
    sets = file("go.tsv", TSV.replace("A\tS1", "OLD\tS1"))
    features = build("--gene-sets", f"GO={sets}", "--aliases", aliases)
    assert same(features, build("--gene-sets", f"GO={file('b.tsv', TSV)}", name="plain.npz"))
    assert features.row_of["OLD"] == features.row_of["A"]
    assert "UNUSED" not in features.row_of


# Networks


def values_of(path, protein_names=None):
    table = tables.network_table("N", path, {}, protein_names or {})
    return pd.DataFrame(table.values.toarray(), index=table.genes, columns=table.terms)


def test_walk_of_two_steps_worked_by_hand(file):
    """From A one step is to B; two are to A with 1/4, to C with 3/4. Links go both ways."""
    values = values_of(file("n.tsv", "A\tB\t1\nC\tB\t3\nB\tA\t1\nA\tA\t9\n"))
    np.testing.assert_allclose(values.loc["A", ["A", "B", "C"]], [0.25, 1, 0.75])
    np.testing.assert_allclose(values.loc["B", ["A", "B", "C"]], [0.25, 1, 0.75])


def test_genes_of_separate_parts_of_a_network_have_kernel_zero(file, build):
    features = build("--network", file("N.tsv", "A B\nC D\n"))
    np.testing.assert_allclose(features.kernel("N", ["A"], ["B", "C"]), [[1, 0]], atol=1e-7)


def test_only_the_genes_reached_most_are_kept(file, monkeypatch):
    monkeypatch.setattr(tables, "NEIGHBOURS_KEPT", 2)
    monkeypatch.setattr(tables, "_GENES_PER_BLOCK", 2)
    values = values_of(file("n.tsv", "A\tB\t1\nC\tB\t3\n"))
    np.testing.assert_allclose(values.loc["A", ["A", "B", "C"]], [0, 1, 0.75])
    tied = values_of(file("t.tsv", "A B\nA C\nA D\nB C\nB D\nC D\n"))
    assert ((tied > 0).sum(axis=1) == 2).all()


def test_strings_own_files_are_read_with_their_names(file):
    links = file(
        "9606.protein.links.v12.0.txt.gz",
        "protein1 protein2 combined_score\n9606.P1 9606.P2 900\n9606.P2 9606.P1 900\n"
        "9606.P2 9606.P3 300\n9606.P2 9606.P4 400\n9606.P2 9606.P9 999\n",
    )
    header = "#string_protein_id\tpreferred_name\tprotein_size\tannotation\n"
    rows = "".join(f"9606.P{n}\t{name}\t9\twords\n" for n, name in enumerate("ABCD", start=1))
    names = build_gene_features.read_protein_names(file("info.txt.gz", header + rows))
    values = values_of(links, names)
    assert list(values.index) == ["A", "B", "D"]  # C by a weak link alone, P9 without a name
    np.testing.assert_allclose(values.loc["B", ["A", "B", "D"]], [9 / 13, 1, 4 / 13], rtol=1e-6)


def test_a_table_of_symbols_with_strings_titles_is_the_same_network(file):
    table = "a\tb\tsa\tsb\thomology\tcombined_score\n1\t2\tA\tB\t0.0\t900.0\n2\t4\tB\tD\t0\t400.0\n"
    plain = "A B 900\nB D 400\n"
    titled = "gene1\tgene2\tweight\nA\tB\t900\nB\tD\t400\n"
    expected = values_of(file("plain.txt", plain))
    pd.testing.assert_frame_equal(values_of(file("table.tsv.gz", table)), expected)
    pd.testing.assert_frame_equal(values_of(file("titled.tsv", titled)), expected)


def test_a_gene_called_na_stays_a_gene(file):
    assert list(values_of(file("n.tsv", "NA\tB\t1\nB\tC\t1\n")).index) == ["B", "C", "NA"]


# Embeddings


GENES, VECTORS = ["A", "B", "C"], np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])
LINES = "A\t1 0\nB\t0 1\nC\t2 -1\n"


def test_embedding_is_centred_before_the_cosine(file, build):
    """The mean is (1, 0): A has nothing left, and B and C point away from each other."""
    features = build("--embedding", f"E={file('gene2vec.txt', LINES)}")
    np.testing.assert_allclose(features.kernel("E", ["B"], ["B", "C", "A"]), [[1, -1, 0]])


def test_all_forms_of_an_embedding_give_the_same_features(file, build, tmp_path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame(VECTORS, index=pd.Index(GENES, name="gene"), columns=["x", "y"])
    table.to_parquet(tmp_path / "index.parquet")
    table.reset_index().to_parquet(tmp_path / "column.parquet")
    np.savez(tmp_path / "e.npz", names=np.array(GENES), vectors=VECTORS)
    text = build("--embedding", f"E={file('e.txt', LINES)}")
    word2vec = file("w.txt.gz", "3 2\n" + LINES.replace("\t", " "))
    others = ["index.parquet", "column.parquet", "e.npz"]
    for path in [word2vec, *(tmp_path / name for name in others)]:
        assert same(text, build("--embedding", f"E={path}")), path


def test_two_names_of_a_gene_share_the_mean_of_their_vectors(file):
    path = file("e.txt", "A 1 0\nOLD 3 0\nB 0 2\n")
    table = tables.embedding_table("E", path, {"OLD": "A"})
    np.testing.assert_allclose(table.values.toarray(), [[1, -1], [-1, 1]])


# The file


def test_the_same_input_gives_the_same_bytes(file, build, tmp_path):
    sets, links = file("go.gmt", GMT), file("n.tsv", "A\tB\t1\nC\tD\t3\n")
    for name in ("one.npz", "two.npz"):
        build("--gene-sets", sets, "--network", links, name=name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_adding_a_source_to_a_file_equals_building_both(file, build, tmp_path):
    sets, links = file("GO.gmt", GMT), file("N.tsv", "OLD B 1\nE F 3\n")
    aliases = file("aliases.tsv", "OLD\tA\n")
    build("--gene-sets", sets, "--network", links, "--aliases", aliases, name="both.npz")
    build("--gene-sets", sets, "--aliases", aliases, name="first.npz")
    build("--add-to", tmp_path / "first.npz", "--network", links, name="added.npz")
    assert (tmp_path / "added.npz").read_bytes() == (tmp_path / "both.npz").read_bytes()


def test_coverage_is_counted_and_missing_genes_are_named(file, build, tmp_path, capsys):
    genes = file("genes.txt", "A\nB\nX\n\n")
    build("--gene-sets", f"GO={file('go.gmt', GMT)}", "--coverage", genes)
    printed = capsys.readouterr().out
    assert "GO: 2/3 (66.7%) of the list, 4 genes x 2 terms, 5 values" in printed
    assert "any source: 2/3 (66.7%)" in printed
    assert "not: X" in printed
    gene_coverage.main([str(genes), "--features", str(tmp_path / "out.npz")])
    assert capsys.readouterr().out in printed


def test_a_wrong_gene_list_is_told_in_a_sentence(file, build, tmp_path):
    sets = file("GO.gmt", GMT)
    with pytest.raises(SystemExit, match=r"list\.txt is empty"):
        build("--gene-sets", sets, "--coverage", file("list.txt", "\n"))
    with pytest.raises(SystemExit, match=r"out\.npz cannot be read as UTF-8 text"):
        gene_coverage.main([str(tmp_path / "out.npz"), "--features", str(tmp_path / "out.npz")])


# Errors


@pytest.mark.parametrize(
    ("option", "name", "text", "sentence"),
    [
        ("--gene-sets", "a.gmt", "", "holds no gene sets"),
        ("--gene-sets", "a.gmt", "S1\tfirst set\n", "holds no gene sets"),
        ("--gene-sets", "a.tsv", "A\tS1\nB S1\n", "expected two columns split by a tab"),
        ("--gene-sets", "a.gmt", "S1\t\tA\nS2\t\tB\n", "Source a says nothing"),
        ("--gene-sets", "a b.gmt", GMT, "'a b' is no name for a source"),
        ("--network", "n.tsv", "", "is empty"),
        ("--network", "n.tsv", "A\nB\n", "has one column"),
        ("--network", "n.tsv", "A\tA\t1\n", "holds no links between two genes"),
        ("--network", "n.tsv", "A\tB\t1\nA\tC\tstrong\n", "cannot be read as a table of links"),
        ("--embedding", "e.txt", "", "expected a gene and the same number of values"),
        ("--embedding", "e.txt", "A 1 2\nB 1\n", "expected a gene and the same number of values"),
        ("--embedding", "e.txt", "A 1 2\nB 1 x\n", "has a value that is not a number"),
        ("--embedding", "e.txt", "A 1 2\nB 1 nan\n", "NaN or infinity in it: True"),
        ("--embedding", "e.npz", "text", "cannot be read as npz"),
        ("--embedding", "e.parquet", "text", "cannot be read as parquet"),
    ],
)
def test_wrong_files_are_told_in_a_sentence(file, build, option, name, text, sentence):
    with pytest.raises(SystemExit, match=sentence):
        build(option, file(name, text))


@pytest.mark.parametrize("option", ["--gene-sets", "--network", "--embedding", "--aliases"])
def test_a_missing_file_is_told_in_a_sentence(build, tmp_path, option):
    with pytest.raises(SystemExit, match=r"nowhere\.txt (does not exist|cannot be read)"):
        build(option, tmp_path / "nowhere.txt")


def test_a_gzipped_file_cut_short_is_told_in_a_sentence(file, build):
    path = file("a.gmt.gz", GMT)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(SystemExit, match="cannot be read as text"):
        build("--gene-sets", path)


def test_an_npz_without_vectors_is_told_in_a_sentence(build, tmp_path):
    np.savez(tmp_path / "e.npz", names=np.array(GENES), vectors=VECTORS[:2])
    with pytest.raises(SystemExit, match=r"expected one array of gene names .* <U1 \(3,\)"):
        build("--embedding", tmp_path / "e.npz")


def test_wrong_options_are_told_in_a_sentence(file, build):
    path = file("GO.gmt", GMT)
    with pytest.raises(SystemExit, match="Found 0 sources"):
        build()
    with pytest.raises(SystemExit, match="no name twice"):
        build("--gene-sets", path, path)
    with pytest.raises(SystemExit, match="--note names KEGG, but the sources are GO"):
        build("--gene-sets", path, "--note", "KEGG", "1", "none")
    with pytest.raises(SystemExit, match=r"is not STRING's protein\.info file"):
        build("--network", path, "--string-info", path)


# The databases of org.Hs.eg.db and GO.db


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
    gene_sets_from_bioconductor.main([str(packages), str(tmp_path / "sets")])
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
        gene_sets_from_bioconductor.main([str(packages), str(tmp_path / name)])
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_missing_or_wrong_databases_are_told_in_a_sentence(packages, tmp_path):
    with pytest.raises(SystemExit, match=r"holds 0 files named org\.Hs\.eg\.sqlite, expected 1"):
        gene_sets_from_bioconductor.main([str(tmp_path / "empty"), str(tmp_path / "sets")])
    next(packages.rglob("GO.sqlite")).write_text("text")
    with pytest.raises(SystemExit, match=r"GO\.sqlite is not the database it should be"):
        gene_sets_from_bioconductor.main([str(packages), str(tmp_path / "sets")])
