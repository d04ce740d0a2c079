"""Write a saved model's nets as an ONNX file, for programs without Python or PyTorch."""

from pathlib import Path

from titanic_nn.cli.console import Parser, run
from titanic_nn.errors import ConfigError
from titanic_nn.files import write_bytes


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _export(arguments))


def _export(arguments: list[str] | None) -> None:
    parser = Parser(prog="titanic-nn export", description=__doc__)
    add = parser.add_argument
    add("run", nargs="?", metavar="RUN", help="a run, or a saved model's folder; the newest run")
    add("--model", metavar="NAME", help="one of the run's models; the recommended by default")
    add("--onnx", required=True, type=Path, metavar="FILE", help="the file to write")
    args = parser.parse_args(arguments)
    if args.onnx.exists():
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
    print(f"Written: {args.onnx}, from {classifier.n_features_in_} features to probabilities")
