"""`titanic-nn` lists the commands; `titanic-nn NAME`, or `python -m titanic_nn NAME`, runs one."""

import sys
from importlib import import_module

from titanic_nn.cli.console import MISTAKE, say, warn
from titanic_nn.cli.process import run
from titanic_nn.cli.streams import standard_streams
from titanic_nn.errors import did_you_mean
from titanic_nn.version import __version__

COMMANDS = {
    "describe": "your own table: guess its columns, as TOML to be edited",
    "explore": "a first look at the tables: rates by column, missing values",
    "train": "train and compare the nets, and write a submission of each",
    "report": "write a run's report and its page to play with, open it",
    "compare": "a leaderboard of runs, and whether a difference is luck",
    "inspect": "a trained net's layers, shapes and parameters",
    "learning_curve": "do I have enough data? scores on growing fractions of the rows",
    "lr_find": "which learning rate? training losses over a sweep of them",
    "tune": "search a net's settings, hundreds of trials in one program",
    "diagnose": "am I over- or underfitting? what a run's learning curves show",
    "importance": "which features matter? permutation importance and coefficients",
    "ablation": "does each feature help? nets without it, or with it alone",
    "misclassified": "the rows that every model of a run gets wrong",
    "explain": "why this prediction? what each feature contributes to it",
    "dependence": "how does the prediction depend on a feature? a line per net",
    "predict": "predict any table with a saved model",
    "spreadsheet": "a run's nets as a workbook of live formulas",
    "app": "a model in a browser: one row or a file; or a Space's folder",
    "export": "write a saved model's nets as an ONNX file",
    "download": "fetch a competition's tables from Kaggle",
    "submit": "submit to Kaggle, exactly once, and wait for the score",
    "kernel": "train on Kaggle's own machines, and bring the run home",
}


def main() -> None:
    """Run the command that the first argument names."""
    name, *arguments = sys.argv[1:] or ["--help"]
    command = name.replace("-", "_")
    if command in COMMANDS:
        import_module(f"titanic_nn.cli.{command}").main(arguments)
        return
    with standard_streams():
        if name == "--version":
            print(f"titanic-nn {__version__}")
        elif name in ("-h", "--help"):
            say("usage: titanic-nn NAME [OPTIONS]\n")
            for command, what in COMMANDS.items():
                say(f"  {command:<14} {what}")
            say("\nEach has --help. `titanic-nn --version` prints the version.")
        else:
            near = did_you_mean(command, COMMANDS) or f"; choose from: {', '.join(COMMANDS)}"
            warn(f"titanic-nn: there is no command {name!r}{near}")
            sys.exit(MISTAKE)


def script() -> None:
    """`titanic-nn`, as a process of its own."""
    run(main)


if __name__ == "__main__":
    script()
