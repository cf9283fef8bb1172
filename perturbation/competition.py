"""Facts the organisers of broad-obesity-1 fixed: file names, labels, row counts, bandwidths."""

CONTROL_LABEL = "NC"
"""Label of the unperturbed control cells in ``obs["gene"]``."""

CELLS_PER_PERTURBATION = 100
"""Rows that the platform demands for each predicted perturbation."""

PROGRAMS = ("pre_adipo", "adipo", "other")
"""Their proportions sum to 1. ``lipo`` is a part of ``adipo``, not a fourth program."""

PROGRAM_FLAGS = (*PROGRAMS, "lipo")
"""The 0/1 columns of ``obs``, and the proportions of ``program_proportion.csv``."""

SUBMITTED_PROPORTION_COLUMNS = ("gene", "pre_adipo", "adipo", "lipo", "other")
"""Exactly these; the platform rejects a file that also holds ``lipo_adipo``."""

MMD_BANDWIDTHS = (581.5, 1163.0, 2326.0, 4652.0, 9304.0)
"""The kernel sums exp(-squared distance / bandwidth) over these. Each is twice the last."""

L1_WEIGHTS = (0.75, 0.75, 0.75, 0.25)
"""Of the differences in the programs, and in lipo as a share of adipo."""

# In the data directory.
TRAINING_FILE = "obesity_challenge_1.h5ad"
PROPORTIONS_FILE = "program_proportion.csv"
LOCAL_TRUTH_FILE = "obesity_challenge_1_local_gtruth.h5ad"
LOCAL_PROPORTIONS_FILE = "program_proportion_local_gtruth.csv"
PERTURBATIONS_FILE = "predict_perturbations.txt"
GENES_FILE = "genes_to_predict.txt"

# In the prediction directory.
PREDICTION_FILE = "prediction.h5ad"
PREDICTED_PROPORTIONS_FILE = "predict_program_proportion.csv"
