"""How good is a prediction, and would the platform take it. Nothing here runs on the platform.

scoring     the three metrics, panels of genes, what the platform rejects, its own module
local       the default run of local_test.py: train, infer, check, score
crossval    --cv: folds, contenders, intervals, comparison
whole       --cv --whole: submissions as black boxes, on folds on disk
report      a page of pictures about a cross-validation
preflight   --preflight: all that can be known before a push
command     how every command ends; reading: lists and some cells; tables: text and JSON;
            held_out: a training set without some knock-outs
"""
