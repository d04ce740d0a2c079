"""Does a net over- or underfit? A diagnosis of each net of a run, with advice."""

from titanic_nn.cli.console import Parser, console, print_table, run
from titanic_nn.cli.options import add_run_argument


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _diagnose(arguments))


def _diagnose(arguments: list[str] | None) -> None:
    parser = Parser(prog="titanic-nn diagnose", description=__doc__)
    add_run_argument(parser)
    args = parser.parse_args(arguments)

    # Imported late, so that --help answers at once.
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
        shown.print(f"\n{sentences.diagnosis(case, config.nets[case.model])}", soft_wrap=True)


if __name__ == "__main__":
    main()
