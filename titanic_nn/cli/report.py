"""Write a run's two pages: its report, with findings, tables and plots, and one to play with."""

from argparse import Namespace

from titanic_nn.cli.console import Parser
from titanic_nn.cli.options import add_run_argument

PARSER = Parser(prog="titanic-nn report", description=__doc__)
add_run_argument(PARSER)
PARSER.add_argument("--open", action="store_true", help="show it in a browser")


@PARSER.command
def main(args: Namespace) -> None:
    # Imported late, here as in all commands, so that --help answers at once.
    from titanic_nn.cli.pages import write_pages
    from titanic_nn.runs.find import find_run

    path = write_pages(find_run(args.run))
    print(path)
    if args.open:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
