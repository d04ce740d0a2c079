"""Write a run's report: one page with its findings, tables and plots."""

from titanic_nn.cli.console import Parser, run
from titanic_nn.cli.options import add_run_argument


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _report(arguments))


def _report(arguments: list[str] | None) -> None:
    parser = Parser(prog="titanic-nn report", description=__doc__)
    add_run_argument(parser)
    parser.add_argument("--open", action="store_true", help="show it in a browser")
    args = parser.parse_args(arguments)

    # Imported late, so that --help answers at once.
    from titanic_nn.report.page import write_report
    from titanic_nn.runs.find import find_run

    path = write_report(find_run(args.run))
    print(path)
    if args.open:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


if __name__ == "__main__":
    main()
