"""Write a saved model's nets as an ONNX file, for programs without Python or PyTorch."""

import os
from argparse import Namespace
from pathlib import Path

from titanic_nn.cli.console import Parser, say
from titanic_nn.cli.options import add_model_arguments
from titanic_nn.errors import ConfigError
from titanic_nn.files import write_bytes

PARSER = Parser(prog="titanic-nn export", description=__doc__)
add_model_arguments(PARSER)
PARSER.add_argument("--onnx", required=True, type=Path, metavar="FILE", help="the file to write")


@PARSER.command
def main(args: Namespace) -> None:
    if os.path.lexists(args.onnx):
        raise ConfigError(f"--onnx {args.onnx}: is there already; choose another name")

    from sklearn.pipeline import Pipeline

    from titanic_nn.estimators.calibration import Ensemble
    from titanic_nn.estimators.onnx import to_onnx
    from titanic_nn.estimators.persistence import load
    from titanic_nn.runs.find import saved_model

    folder = saved_model(args.run, args.model)
    model = load(folder)
    if isinstance(model, Ensemble):
        raise ConfigError(
            f"{folder}: an ensemble has no graph; export one of its nets: {', '.join(model.models)}"
        )
    names, classifier = None, model
    if isinstance(model, Pipeline):
        # The graph reads encoded columns; its metadata name them.
        names, classifier = model[0].get_feature_names_out(), model[-1]
    write_bytes(args.onnx, to_onnx(classifier, names))
    say(f"Written: {args.onnx}, from {classifier.n_features_in_} features to probabilities")
