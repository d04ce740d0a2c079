"""`python -m titanic_nn` lists the commands; `titanic-nn train` runs one."""

import sys
from importlib import import_module

from titanic_nn import __version__
from titanic_nn.cli.console import MISTAKE

COMMANDS = {
    "train": "train the three nets, compare them, write a submission for each",
    "report": "write a run's report, and open it in a browser",
    "inspect": "what a trained net is made of: layers, shapes, numbers",
    "learning_curve": "do I have enough data? scores on growing shares of the rows",
    "tune": "search a net's settings, hundreds of trials in one program",
    "diagnose": "am I over- or underfitting? what a run's learning curves say",
    "importance": "which features matter? permutation importance and coefficients",
    "ablation": "does each feature earn its place? nets without it, or with it alone",
    "hard": "who is hard? the passengers whom every model gets wrong",
    "predict": "predict any table of passengers with a saved model",
    "export": "write a saved model's nets as an ONNX file",
    "download": "fetch a competition's tables from Kaggle",
    "submit": "send a submission to Kaggle, exactly once, and bring its score home",
}


def main() -> None:
    """Run the command that the first argument names."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in COMMANDS:
        import_module(f"titanic_nn.{name}").main(arguments)
    elif name in ("-h", "--help"):
        print(f"titanic_nn {__version__}\n")
        for command, what in COMMANDS.items():
            print(f"  python -m titanic_nn.{command:<14} {what}")
        print("\nEach answers --help.")
    else:
        known = ", ".join(COMMANDS)
        print(f"titanic_nn: there is no command {name!r}; choose from: {known}", file=sys.stderr)
        sys.exit(MISTAKE)


if __name__ == "__main__":
    main()
