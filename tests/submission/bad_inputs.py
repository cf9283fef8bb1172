"""The table of bad inputs: what is spoiled, and the essential words of the sentence it gets."""

import pickle
from typing import NamedTuple

import numpy as np
import pandas as pd

from tests.submission.spoilers import (
    FEATURES,
    FLAGS,
    GENES,
    MODEL,
    PROPORTIONS,
    TRAINING,
    TRUE_PROPORTIONS,
    TRUTH,
    Spoil,
    a_directory,
    argument,
    arrays,
    at,
    below_a_file,
    complex_x,
    cut,
    damaged,
    damaged_chunk,
    data_group,
    dataset,
    dense,
    genes,
    hdf5,
    into_directory,
    labels,
    member,
    named,
    obs,
    one_array,
    put,
    remove,
    table,
    text,
    text_x,
    without_group,
    write,
)


class Case(NamedTuple):
    """One bad input: who reads it, how to make it, and a regular expression for the sentence."""

    door: str
    name: str
    spoil: Spoil
    words: str


X_CASES = {
    "X missing": (hdf5(without_group("X")), "has no X; expected an h5ad file"),
    "X of text": (hdf5(text_x), "X of .* holds .S3; expected numbers"),
    "X of complex numbers": (hdf5(complex_x), "data of .* holds complex128; expected numbers"),
    "X a table": (put("X", pd.DataFrame({"a": [1.0]})), "neither a dense array nor a sparse"),
    "X one-dimensional": (dense(lambda x: x[0]), r"X of .* is \(60,\), but obs and var say"),
    "X with cells missing": (dense(lambda x: x[:-1]), r"is \(399, 60\), but .* say \(400, 60\)"),
    "X with genes missing": (dense(lambda x: x[:, 1:]), r"is \(400, 59\), but .* \(400, 60\)"),
    "X of another shape": (hdf5(named("shape", [400, 61])), r"is \(400, 61\), but obs and var"),
    "X without shape": (hdf5(lambda f: f["X"].attrs.__delitem__("shape")), r"is \(\), but obs"),
    "X as triples": (hdf5(named("encoding-type", "coo_matrix")), "encoded as 'coo_matrix'"),
    "X with data a group": (hdf5(data_group), "neither a dense array nor a sparse"),
    "pointers too few": (dataset("X/indptr", lambda p: p[:-1]), "broken: 400 for 400 rows"),
    "pointers falling": (dataset("X/indptr", at(5, 10**6)), "pointers of X .* are broken"),
    "pointers not from zero": (dataset("X/indptr", at(0, 3)), "pointers of X .* are broken"),
    "pointers past the end": (dataset("X/indptr", at(-1, 10**6)), "pointers of X"),
    "pointers of fractions": (dataset("X/indptr", lambda p: p + 0.5), "indptr .* float64"),
    "indices too few": (dataset("X/indices", lambda i: i[:-7]), r"[\d,]+ values, [\d,]+ indices"),
    "index too large": (dataset("X/indices", at(44, 60)), "ind.* must be < 60"),
    "index negative": (dataset("X/indices", at(44, -1)), "ind.* must be >= 0"),
    "indices of fractions": (dataset("X/indices", lambda i: i * 1.0), "indices .* float64"),
    "an index twice": (
        dataset("X/indices", lambda i: at(1, i[0])(i)),
        "stores a value of one gene twice",
    ),
    "X of zeros": (dataset("X/data", lambda d: 0 * d), "nothing but zeros; expected log2"),
    "X with NaN": (dataset("X/data", at(7, np.nan)), "holds NaN or infinite values; expected"),
    "X with infinity": (dataset("X/data", at(7, np.inf)), "holds NaN or infinite values"),
    "X with minus infinity": (dataset("X/data", at(7, -np.inf)), "NaN or infinite values"),
    "X negative": (dataset("X/data", at(7, -0.25)), "negative values, the lowest -0.25"),
    "X raw counts": (dataset("X/data", lambda d: np.round(d * 20)), "It looks like raw counts"),
    "dense X with NaN": (dense(at((8, 3), np.nan)), "holds NaN or infinite values"),
    "a chunk of X damaged": (damaged_chunk, "cut or damaged: download it again"),
}


NOT_CONTROLS = "has no control cells: obs\\['gene'\\] never is 'NC'"
H5AD_CASES = {
    "no file": (remove(TRAINING), "is missing. Give the right place"),
    "a directory": (into_directory(TRAINING), "is a directory"),
    "an empty file": (write(TRAINING, b""), "cut or damaged: download it again"),
    "a text file": (write(TRAINING, "gene,adipo\n" * 99), "cut or damaged: download it again"),
    "an error page": (write(TRAINING, "<html>403</html>"), "cut or damaged: download it again"),
    "cut at 1 %": (cut(TRAINING, 0.01), "cut or damaged: download it again"),
    "cut in half": (cut(TRAINING, 0.5), "cut or damaged: download it again"),
    "cut at 99 %": (cut(TRAINING, 0.99), "cut or damaged: download it again"),
    "no obs": (hdf5(without_group("obs")), "has no obs; expected an h5ad"),
    "no var": (hdf5(without_group("var")), "has no var; expected an h5ad"),
    "nothing in it": (hdf5(without_group("X", "obs", "var")), "has no X; expected an h5ad"),
    "obs not a table": (put("obs", np.zeros(3)), "obs of .* is not a table"),
    "var not a table": (put("var", np.zeros(3)), "var of .* is not a table"),
    "a column cut": (dataset("obs/adipo", lambda a: a[:-1]), "obs of .* cannot be read"),
    "codes past the categories": (dataset("obs/gene/codes", at(0, 99)), "obs of .* cannot"),
    "no cells": (put("obs", lambda o: o.iloc[:0]), "has no cells"),
    "no genes": (genes(lambda g: []), "var of .* is empty; expected gene names"),
    "a gene twice": (genes(lambda g: [g[1], *g[1:]]), "var of .* names 1 genes twice: GENE00001"),
    "a gene without name": (
        genes(lambda g: ["", *g[1:]]),
        "var of .* must hold gene names as t",
    ),
    "no column gene": (obs(gene=None), "has no column gene; found Day, Samp"),
    "no column lipo": (obs(lipo=None), "has no column lipo; found"),
    "no flags": (obs(**dict.fromkeys(FLAGS)), "has no column pre_adipo, adipo, other and 1 more"),
    "labels missing": (labels("NC", np.nan), r"is empty for \d+ cells; expected a knocked-out"),
    "labels blank": (labels("NC", " "), r"is empty for \d+ cells; expected a knocked-out"),
    "control in lower case": (labels("NC", "nc"), f"{NOT_CONTROLS}.* Rename"),
    "control as text": (labels("NC", "non-targeting"), NOT_CONTROLS),
    "control with a space": (labels("NC", "NC "), NOT_CONTROLS),
    "only controls": (obs(gene="NC"), "has cells of 0 knock-outs; at least 2 are needed"),
    "one knock-out": (obs(gene=lambda g: np.where(g == "NC", "NC", "KO")), "of 1 knock-outs; at"),
    "labels of numbers": (obs(gene=lambda g: np.arange(len(g))), NOT_CONTROLS),
    "a flag of 2": (obs(lipo=2), "must hold 0 or 1 in .*; found 2 in lipo"),
    "a flag of -1": (obs(adipo=-1), "must hold 0 or 1"),
    "a flag NaN": (obs(adipo=np.nan), "must hold 0 or 1"),
    "flags of text": (obs(adipo="yes"), "must hold 0 or 1 .*; found the text .yes. in adipo"),
    "flags of digits": (obs(adipo=lambda a: a.astype(str)), "found the text .[01]. in adipo"),
    "flags as shares": (obs(other=0.3), "must hold 0 or 1"),
}

LACKS = "has no row for"
TABLE_CASES = {
    "no file": (remove(PROPORTIONS), "is missing. Give the right place"),
    "a directory": (into_directory(PROPORTIONS), "is a directory. Put the file"),
    "an empty file": (write(PROPORTIONS, b""), "cannot be read as CSV"),
    "blank lines only": (write(PROPORTIONS, "\n\n\n"), "cannot be read as CSV"),
    "binary": (write(PROPORTIONS, bytes(range(256))), "cannot be read as CSV"),
    "UTF-16": (text(PROPORTIONS, str, "utf-16"), "cannot be read as CSV"),
    "Latin-1": (text(PROPORTIONS, lambda t: t + "É,1,0,0,0,0\n", "latin-1"), "cannot be read as"),
    "header only": (text(PROPORTIONS, lambda t: t.splitlines()[0]), "column gene of .* is empty"),
    "no header": (text(PROPORTIONS, lambda t: t.split("\n", 1)[1]), "has no column gene, pre_a"),
    "semicolons": (text(PROPORTIONS, lambda t: t.replace(",", ";")), "has no column gene, pre_a"),
    "a row too long": (text(PROPORTIONS, lambda t: t + "A,1,2,3,4,5,6,7\n"), "cannot be read as C"),
    "no column lipo": (table(lambda t: t.drop(columns="lipo")), "has no column lipo; found gene"),
    "a knock-out twice": (table(lambda t: pd.concat([t, t[2:3]])), "names 1 genes twice"),
    "a name missing": (table(lambda t: t.assign(gene=[None, *t["gene"][1:]])), "gene names as tex"),
    "names of numbers": (table(lambda t: t.assign(gene=range(13))), "gene names as text, found 0"),
    "text in a number": (table(lambda t: t.assign(adipo="much")), "something that is not a number"),
    "a number missing": (
        table(lambda t: t.assign(lipo=np.nan)),
        "between 0 and 1; found .* lipo nan",
    ),
    "negative": (table(lambda t: t.assign(adipo=-t["adipo"] - 0.1)), "must lie between 0 and 1"),
    "per cent": (table(lambda t: t.assign(adipo=100 * t["adipo"])), "must lie between 0 and 1"),
    "infinite": (table(lambda t: t.assign(adipo=np.inf)), "must lie between 0 and 1"),
    "programs not adding up": (
        table(lambda t: t.assign(other=0)),
        "must have pre_adipo . adipo . other = 1; found",
    ),
    "lipo above adipo": (table(lambda t: t.assign(lipo=1)), "must have lipo <= adipo, as"),
    "no row for a knock-out": (table(lambda t: t[1:]), f"{LACKS} GENE.*, whose cells are in"),
    "no row for the control": (table(lambda t: t[t["gene"] != "NC"]), f"{LACKS} NC, whose cells"),
}

ARRAY_MESSAGE = "Run train\\(\\) again"


MODEL_CASES = {
    "never trained": (remove(MODEL), r"no model was trained yet\. Run train\(\) first"),
    "a directory": (into_directory(MODEL), "is missing: no model was trained yet"),
    "empty": (write(MODEL, b""), f"cannot be read.*{ARRAY_MESSAGE}"),
    "text": (write(MODEL, "model"), f"cannot be read.*{ARRAY_MESSAGE}"),
    "a pickle": (write(MODEL, pickle.dumps([1])), f"cannot be read.*{ARRAY_MESSAGE}"),
    "one array, not an archive": (lambda p: one_array(p.resources / MODEL), "cannot be read"),
    "an archive of nothing": (write(MODEL, b"PK\5\6" + bytes(18)), "format version None"),
    "cut at 1 %": (cut(MODEL, 0.01), "cannot be read"),
    "cut in half": (cut(MODEL, 0.5), "cannot be read"),
    "cut at 99 %": (cut(MODEL, 0.99), "cannot be read"),
    "damaged in the middle": (damaged(MODEL, 0.5), "cannot be read"),
    "pickled objects": (arrays(MODEL, genes=lambda g: g.astype(object)), "cannot be read .*pickle"),
    "an array's header damaged": (member(MODEL, "genes.npy", b"\x93NUMPY\1\0"), "cannot be read"),
    "of an older version": (arrays(MODEL, format_version=0), "format version 0, this code reads"),
    "a version of text": (arrays(MODEL, format_version="one"), "format version one, this code"),
    "two versions": (arrays(MODEL, format_version=[1, 1]), "format version"),
    "no version": (arrays(MODEL, format_version=None), "format version None"),
}

RESTORE = "Restore the file from the repository"
FEATURE_CASES = {
    "missing": (remove(FEATURES), f"is missing\\. {RESTORE}"),
    "a directory": (into_directory(FEATURES), "is missing"),
    "empty": (write(FEATURES, b""), "cannot be read as npz"),
    "cut in half": (cut(FEATURES, 0.5), "cannot be read as npz"),
    "damaged in the middle": (damaged(FEATURES, 0.5), f"cannot be read .*{RESTORE}"),
    "of another format": (arrays(FEATURES, format="x 9"), "has the format 'x 9', expected"),
    "pickled objects": (arrays(FEATURES, genes=np.array([{}])), "cannot be read .*pickle"),
}


ASKED = "predict_perturbations"
ARGUMENT_CASES = {
    "no perturbations": (argument(predict_perturbations=[]), f"{ASKED} is empty; expected"),
    "perturbations None": (argument(predict_perturbations=None), f"{ASKED} must be a list"),
    "perturbations one string": (argument(predict_perturbations="A"), f"{ASKED} must be a list"),
    "perturbations a number": (argument(predict_perturbations=3), f"{ASKED} must be a list"),
    "perturbations bytes": (argument(predict_perturbations=b"AB"), f"{ASKED} must"),
    "a perturbation twice": (argument(predict_perturbations=["A", "A"]), "names 1 genes twice: A"),
    "a perturbation NaN": (argument(predict_perturbations=["A", np.nan]), "as text, found nan"),
    "a perturbation of bytes": (argument(predict_perturbations=[b"A"]), "as text, found b'A'"),
    "a blank perturbation": (argument(predict_perturbations=["A", " "]), "as text, found ' '"),
    "a line break in a name": (argument(predict_perturbations=["A\nB"]), r"found 'A\\nB'"),
    "a NUL in a name": (argument(predict_perturbations=["A\0"]), r"found 'A\\x00'"),
    "half a surrogate": (argument(predict_perturbations=["A\udc80"]), r"found 'A\\udc80'"),
    "no genes": (argument(genes_to_predict=[]), "genes_to_predict is empty"),
    "genes None": (argument(genes_to_predict=None), "genes_to_predict must be a list"),
    "a gene twice": (argument(genes_to_predict=["B", "B"]), "genes_to_predict names 1 genes twi"),
    "an unknown gene": (argument(genes_to_predict=["ACTB"]), "1 of 1 genes_to_predict are not in"),
    "genes of numbers": (argument(genes_to_predict=[0, 1]), "genes_to_predict must hold gene nam"),
    "no model directory": (argument(model_directory_path=None), "model_directory_path must be a p"),
    "a model directory of number": (argument(model_directory_path=7), "must be a path, found 7"),
    "no place for cells": (argument(prediction_h5ad_file_path=None), "must be a path, found None"),
    "no place for the table": (
        argument(program_proportion_csv_file_path=None),
        "must be a path, found None",
    ),
    "cells into a directory": (argument(prediction_h5ad_file_path=a_directory), "is a directory"),
    "table into a directory": (
        argument(program_proportion_csv_file_path=a_directory),
        "is a directory",
    ),
    "cells below a file": (
        argument(prediction_h5ad_file_path=below_a_file("p.h5ad")),
        "p.h5ad cannot be written",
    ),
    "table below a file": (
        argument(program_proportion_csv_file_path=below_a_file("p.csv")),
        "p.csv cannot be written",
    ),
    "cells into the kernel's files": (
        argument(prediction_h5ad_file_path="/proc/p.h5ad"),
        "/proc/p.h5ad cannot be written",
    ),
}


DOWNLOAD = "one download"
SCORE_CASES = {
    "no genes_to_predict": (remove(GENES), "genes_to_predict.txt is missing. Give"),
    "genes_to_predict a directory": (into_directory(GENES), "is a directory. Put the file"),
    "genes_to_predict empty": (write(GENES, b""), "genes_to_predict.txt is empty"),
    "genes_to_predict blank": (write(GENES, " \n\n\t\n"), "genes_to_predict.txt is empty"),
    "genes_to_predict a mark": (write(GENES, b"\xef\xbb\xbf"), "genes_to_predict.txt is empty"),
    "genes_to_predict UTF-16": (text(GENES, str, "utf-16"), "cannot be read as UTF-8 text"),
    "genes_to_predict Latin-1": (write(GENES, b"G\xc9\n"), "cannot be read as UTF-8 text"),
    "genes_to_predict binary": (write(GENES, bytes(range(128))), "one gene name a line"),
    "a gene twice": (text(GENES, lambda t: 2 * t), "names 27 genes twice|names 28 genes twice"),
    "genes on one line": (text(GENES, lambda t: t.replace("\n", ",")), "one gene name a line"),
    "genes with spaces": (text(GENES, lambda t: t.replace("\n", " ")), "one gene name a line"),
    "a gene unknown": (text(GENES, lambda t: t + "ACTB\n"), f"first: ACTB.*{DOWNLOAD}"),
    "no true cells": (remove(TRUTH), "local_gtruth.h5ad is missing"),
    "true cells empty": (write(TRUTH, b""), "local_gtruth.h5ad cannot be read"),
    "true cells cut": (cut(TRUTH, 0.5), "local_gtruth.h5ad cannot be read"),
    "true cells without gene": (
        put("obs", lambda o: o.drop(columns="gene"), TRUTH),
        "has no column gene",
    ),
    "true cells without X": (hdf5(without_group("X"), TRUTH), "has no X; expected"),
    "true cells missing": (put("X", lambda x: x[:-1], TRUTH), "but obs and var say"),
    "true genes missing": (put("X", lambda x: x[:, 1:], TRUTH), "but obs and var say"),
    "a true gene twice": (genes(lambda g: [g[1], *g[1:]], TRUTH), "names 1 genes twice: GENE"),
    "true cells of raw counts": (put("X", lambda x: np.round(2**x), TRUTH), "like raw counts"),
    "true cells with NaN": (put("X", lambda x: np.where(x > 0, np.nan, x), TRUTH), "holds NaN"),
    "true proportions in percent": (
        table(lambda t: t.assign(adipo=100 * t["adipo"]), TRUE_PROPORTIONS),
        "must lie between 0 and 1",
    ),
    "true cells without obs": (hdf5(without_group("obs"), TRUTH), "has no obs; expected"),
    "no centroids": (
        hdf5(without_group("uns"), TRUTH),
        "control_centroid_train.* one finite number",
    ),
    "a centroid cut": (
        put("uns/perturbed_centroid_train", lambda c: c[1:], TRUTH),
        "holds 59 values, expected one finite number for each of 60",
    ),
    "no true proportions": (remove(TRUE_PROPORTIONS), "local_gtruth.csv is missing"),
    "true proportions empty": (write(TRUE_PROPORTIONS, b""), "local_gtruth.csv"),
    "true proportions of text": (
        table(lambda t: t.assign(adipo="x"), TRUE_PROPORTIONS),
        "local_gtruth.csv",
    ),
    "true proportions cut": (table(lambda t: t[1:], TRUE_PROPORTIONS), f"different .*{DOWNLOAD}"),
    "training proportions missing": (remove(PROPORTIONS), "program_proportion.csv is missing"),
}

TRAIN_ARGUMENT_CASES = {
    "data None": (argument(data_directory_path=None), "data_directory_path must be a path"),
    "data a number": (argument(data_directory_path=5), "data_directory_path must be a path"),
    "data nowhere": (argument(data_directory_path="/nowhere"), "is missing. Give the right place"),
    "data a file": (
        argument(data_directory_path=below_a_file("")),
        "is missing. Give the right place",
    ),
    "model None": (argument(model_directory_path=None), "model_directory_path must be a path"),
    "model a file": (
        argument(model_directory_path=lambda place: str(place.data / GENES)),
        "cannot be written \\(its directory is a file\\)",
    ),
    "model a kernel's place": (argument(model_directory_path="/proc/x"), "cannot be written"),
    "model a directory": (into_directory(MODEL), "model.npz is a directory"),
}


def _cases(door: str, file: str, found: dict[str, tuple[Spoil, str]]) -> list[Case]:
    return [Case(door, f"{file}: {name}", *case) for name, case in found.items()]


CASES = [
    *_cases("train", "training cells", H5AD_CASES | X_CASES),
    *_cases("train", "proportions", TABLE_CASES),
    *_cases("train", "arguments of train", TRAIN_ARGUMENT_CASES),
    *_cases("infer", "model", MODEL_CASES),
    *_cases("infer", "gene features", FEATURE_CASES),
    *_cases("infer", "arguments of infer", ARGUMENT_CASES),
    *_cases("score", "local truth", SCORE_CASES),
]
