"""Does a net over- or underfit? A diagnosis of each net of a run, with advice."""

from argparse import Namespace

from titanic_nn.cli.console import Parser, console, print_table
from titanic_nn.cli.options import add_run_argument

PARSER = Parser(prog="titanic-nn diagnose", description=__doc__)
add_run_argument(PARSER)


@PARSER.command
def main(args: Namespace) -> None:
    from titanic_nn.analysis.diagnosis import diagnose
    from titanic_nn.config import Config
    from titanic_nn.report import sentences, tables
    from titanic_nn.runs.find import find_run
    from titanic_nn.runs.folder import read_table

    folder = find_run(args.run)
    config = Config.from_toml(folder / "settings.toml")
    cases = diagnose(
        read_table(folder, "history.csv", ["model"], ["epoch", "training_loss", "held_out_loss"]),
        read_table(folder, "metrics.csv", ["model"], ["log_loss"]),
        config,
    )
    shown = console()
    shown.print(f"Run: {folder}")
    print_table(shown, tables.diagnosis(cases))
    for case in cases:
        shown.print(f"\n{sentences.diagnosis(case, config.nets[case.model])}")
