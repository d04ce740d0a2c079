"""Write a saved model's nets as an ONNX file, for programs without Python or PyTorch."""

from pathlib import Path

from titanic_nn.errors import ConfigError
from titanic_nn.files import write_bytes
from titanic_nn.cli.console import Parser, run


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _export(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.cli.export", description=__doc__)
    add = parser.add_argument
    add(
        "--model",
        required=True,
        metavar="RUN_OR_DIR",
        help="a run's folder or name (its recommended model), or a saved model's folder",
    )
    add("--onnx", required=True, type=Path, metavar="FILE", help="the file to write")
    return parser


def _export(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)
    if args.onnx.exists():
        raise ConfigError(f"--onnx {args.onnx}: is there already; choose another name")

    from titanic_nn.estimators.calibration import Ensemble
    from titanic_nn.estimators.onnx import to_onnx
    from titanic_nn.runs.find import saved_model
    from titanic_nn.estimators.persistence import load

    folder = saved_model(args.model)
    model = load(folder)
    if isinstance(model, Ensemble):
        names = ", ".join(str(folder.parent / name) for name in model.models)
        raise ConfigError(f"{folder}: an ensemble has no graph; export one of its nets: {names}")
    classifier = model[-1] if hasattr(model, "steps") else model
    if hasattr(model, "steps"):
        # Raw passengers stay here; what the nets read of them is told by name.
        classifier.feature_names_in_ = model[0].get_feature_names_out()
    write_bytes(args.onnx, to_onnx(classifier))
    print(f"Written: {args.onnx}, from {classifier.n_features_in_} features to probabilities")


if __name__ == "__main__":
    main()
