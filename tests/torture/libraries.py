"""Imports every command and library: the server preloads it, from which processes are forked."""

from importlib import import_module

from titanic_nn.__main__ import COMMANDS

for name in COMMANDS:
    import_module(f"titanic_nn.cli.{name}")
for name in (
    "competitions.titanic.competition",
    "estimators.onnx",
    "estimators.persistence",
    "evaluation.compare_models",
    "kaggle.submission",
    "report.page",
    "tuning.results",
):
    import_module(f"titanic_nn.{name}")
