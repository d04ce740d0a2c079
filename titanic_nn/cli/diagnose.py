"""Am I over- or underfitting? What a run's learning curves say of each net, and what to try."""

from typing import TYPE_CHECKING

from titanic_nn.cli.console import Parser, console, run, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from titanic_nn.analysis.diagnosis import Diagnosis


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _diagnose(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.cli.diagnose", description=__doc__)
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run's folder; the newest one's")
    return parser


def _diagnose(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)

    from titanic_nn.analysis.diagnosis import diagnose
    from titanic_nn.runs.find import find_run, newest_run
    from titanic_nn.runs.folder import read_table
    from titanic_nn.config import Config

    folder = find_run(args.run) if args.run else newest_run().folder
    found = diagnose(
        read_table(folder, "history.csv", ["model"], ["epoch", "training_loss", "held_out_loss"]),
        read_table(folder, "metrics.csv", ["model"], ["log_loss"]),
        Config.from_toml(folder / "settings.toml"),
    )
    shown = console()
    shown.print(f"Run: {folder}\n")
    shown.print(_table(found))
    for case in found:
        shown.print(f"\n{case.model}: {case.verdict}; {case.why}", soft_wrap=True)


def _table(found: "list[Diagnosis]") -> "Table":
    """A row per net."""
    table = table_of("model", "training", "held out", "gap", "lowest", "at epoch", "verdict")
    for case in found:
        table.add_row(
            case.model,
            f"{case.training_loss:.3f}",
            f"{case.held_out_loss:.3f}",
            f"{case.gap:.3f}",
            f"{case.lowest:.3f}",
            str(case.lowest_epoch),
            case.verdict,
        )
    table.caption = "losses of single nets after the last epoch; lowest: of the held-out loss"
    return table


if __name__ == "__main__":
    main()
