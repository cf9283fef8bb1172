"""The builder of gene features: every form of input, worked examples by hand, its errors."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from perturbation.errors import InputError
from perturbation.model.gene_features import load_gene_features
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
    pairs = pd.DataFrame([*pairs, ("OLD", "A")], columns=["alias", "symbol"])
    assert tables.unambiguous_aliases(pairs) == {"OLD": "A"}


def test_aliases_are_mapped_in_files_and_in_requests(file, build):
    aliases = file("aliases.tsv", "alias\tsymbol\nOLD\tA\nUNUSED\tZ\n")
    sets = file("go.tsv", TSV.replace("A\tS1", "OLD\tS1"))
    features = build("--gene-sets", f"GO={sets}", "--aliases", aliases)
    assert same(features, build("--gene-sets", f"GO={file('b.tsv', TSV)}", name="plain.npz"))
    assert features.row_of["OLD"] == features.row_of["A"]
    assert "UNUSED" not in features.row_of


# Networks


def values_of(path, string_info=None):
    table = tables.network_table("N", path, {}, string_info)
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
    values = values_of(links, file("info.txt.gz", header + rows))
    assert list(values.index) == ["A", "B", "D"]  # C by a weak link alone, P9 without a name
    np.testing.assert_allclose(values.loc["B", ["A", "B", "D"]], [9 / 13, 1, 4 / 13], rtol=1e-6)


def test_a_table_of_symbols_with_strings_titles_is_the_same_network(file):
    table = "a\tb\tsa\tsb\thomology\tcombined_score\n1\t2\tA\tB\t0.0\t900.0\n2\t4\tB\tD\t0\t400.0\n"
    plain = "A B 900\nB D 400\n"
    titled = "gene1\tgene2\tweight\nA\tB\t900\nB\tD\t400\n"
    expected = values_of(file("plain.txt", plain))
    pd.testing.assert_frame_equal(values_of(file("table.tsv.gz", table)), expected)
    pd.testing.assert_frame_equal(values_of(file("titled.tsv", titled)), expected)
    titled_csv = file("titled.csv", titled.replace("\t", ","))
    pd.testing.assert_frame_equal(values_of(titled_csv), expected)


def test_a_gene_called_na_stays_a_gene(file):
    assert list(values_of(file("n.tsv", "NA\tB\t1\nB\tC\t1\n")).index) == ["B", "C", "NA"]


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


def test_a_source_is_dropped(file, build, tmp_path):
    sets, links = file("GO.gmt", GMT), file("N.tsv", "A B 1\nE F 3\n")
    build("--gene-sets", sets, "--network", links, name="both.npz")
    build("--add-to", tmp_path / "both.npz", "--drop", "N", name="one.npz")
    build("--gene-sets", sets, name="only.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "only.npz").read_bytes()


@pytest.mark.parametrize(
    ("option", "old", "new"),
    [
        ("--gene-sets", GMT, GMT.replace("D", "E")),
        ("--network", "A B\nC D\n", "A B\nC E\n"),
        ("--embedding", "A 1 0\nB 0 1\n", "A 1 0\nC 0 1\n"),
    ],
)
def test_a_source_is_replaced_in_its_place_by_a_file_of_its_kind(
    file, build, tmp_path, option, old, new
):
    suffix = ".gmt" if option == "--gene-sets" else ".txt"
    sets, newer = file("Last.gmt", GMT), file(f"new{suffix}", new)
    before = build(option, file(f"S{suffix}", old), "--gene-sets", sets, name="old.npz")
    build("--add-to", tmp_path / "old.npz", "--replace", f"S={newer}", name="replaced.npz")
    expected = build(option, f"S={newer}", name="expected.npz")
    replaced = load_gene_features(tmp_path / "replaced.npz")
    assert list(replaced.sources) == list(before.sources)
    kernels = [f.kernel("S", list("ABCDE"), list("ABCDE")) for f in (replaced, expected)]
    np.testing.assert_array_equal(*kernels)


def test_a_source_that_shares_no_gene_with_the_others_is_refused(file, build):
    sets = file("GO.gmt", GMT)
    others = file("E.txt", "ENSG2 1 0\nENSG1 0 1\nENSG3 1 1\nENSG4 0 0\n")
    with pytest.raises(InputError, match=r"E shares no gene .* 1 more; they name A, B, C"):
        build("--gene-sets", sets, "--embedding", others)
    aliases = file("aliases.tsv", "ENSG1\tA\n")
    build("--gene-sets", sets, "--embedding", others, "--aliases", aliases)


def test_coverage_is_counted_and_missing_genes_are_named(file, build, tmp_path, capsys):
    genes = file("genes.txt", "A\nB\nX\n\n")
    build("--gene-sets", f"GO={file('go.gmt', GMT)}")
    assert "GO: 4 genes x 2 terms, 5 values" in capsys.readouterr().out
    gene_coverage.main([str(genes), "--features", str(tmp_path / "out.npz")])
    printed = capsys.readouterr().out
    assert "GO knows 2 of 3 in the list (66.7%)" in printed
    assert "any source knows 2 of 3 in the list (66.7%)\nNot known: X" in printed


# Errors


@pytest.mark.parametrize(
    ("option", "name", "text", "sentence"),
    [
        ("--gene-sets", "a.gmt", "", "cannot be read as gene sets.*No columns"),
        ("--gene-sets", "a.tsv", "A B\n", "holds no gene sets"),
        ("--gene-sets", "a.tsv", "A\n", "two columns, gene and set .Length mismatch"),
        ("--gene-sets", "a.gmt", "S1\t\tA\nS2\t\tB\n", "holds no gene sets"),
        ("--gene-sets", "a b.gmt", GMT, "'a b' is no name for a source"),
        ("--network", "n.tsv", "", "cannot be read as a table of links.*No columns"),
        ("--network", "n.tsv", "A\nB\n", "as a table of links .not enough values"),
        ("--network", "n.tsv", "A\tA\t1\n", "holds no links between two genes"),
        ("--network", "n.tsv", "A\tB\t1\nA\tC\tstrong\n", "cannot be read as a table of links"),
    ],
)
def test_wrong_files_are_told_in_a_sentence(file, build, option, name, text, sentence):
    with pytest.raises(InputError, match=sentence):
        build(option, file(name, text))


@pytest.mark.parametrize("option", ["--gene-sets", "--network", "--embedding", "--aliases"])
def test_a_missing_file_is_told_in_a_sentence(build, tmp_path, option):
    with pytest.raises(InputError, match=r"nowhere\.txt is missing"):
        build(option, tmp_path / "nowhere.txt")


def test_a_gzipped_file_cut_short_is_told_in_a_sentence(file, build):
    path = file("a.gmt.gz", GMT)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputError, match="cannot be read as gene sets"):
        build("--gene-sets", path)


def test_wrong_options_are_told_in_a_sentence(file, build):
    path = file("GO.gmt", GMT)
    with pytest.raises(InputError, match="Found no sources"):
        build()
    with pytest.raises(InputError, match="GO is a source already"):
        build("--gene-sets", path, path)
    with pytest.raises(InputError, match="--note names KEGG, but the sources are GO"):
        build("--gene-sets", path, "--note", "KEGG", "1", "none")
    with pytest.raises(InputError, match="--drop names KEGG, but the sources are none"):
        build("--gene-sets", path, "--drop", "KEGG")
    with pytest.raises(InputError, match="--replace names KEGG, but the sources are none"):
        build("--gene-sets", path, "--replace", f"KEGG={path}")
