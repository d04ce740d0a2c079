"""Write a run's report: one page with its numbers in words, its tables and its pictures."""

from titanic_nn.cli.console import Parser, run


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _report(arguments))


def _report(arguments: list[str] | None) -> None:
    parser = Parser(prog="titanic_nn.cli.report", description=__doc__)
    parser.add_argument(
        "run", metavar="RUN", nargs="?", help="a run's folder or name; the newest by default"
    )
    parser.add_argument("--open", action="store_true", help="show it in a browser")
    args = parser.parse_args(arguments)

    # Imported as late as can be: --help answers at once.
    from titanic_nn.runs.find import find_run, newest_run
    from titanic_nn.report import write_report

    path = write_report(find_run(args.run) if args.run else newest_run().folder)
    print(path)
    if args.open:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


if __name__ == "__main__":
    main()
