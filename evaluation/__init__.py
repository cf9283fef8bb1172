"""What only local_test.py imports: how good is a prediction, and would the platform take it.

In reading order:

the metrics     `scoring`; `checks` (what the platform rejects); `platform_scorer` (its own module)
local truth     `files`, `local_truth`, `answers` (what is scored), `panels` (on which genes),
                `stages` (train and infer in processes of their own), `local_run` (all of it)
--cv            `contenders` and `baselines` (what is compared), `folds`, `cross_validation`,
                `parallel`, `comparison` and `intervals`, `cross_validation_run` (all of it)
pictures        `examples`, `svg`, `report`; `tables` for the terminal
"""
