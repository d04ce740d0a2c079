"""Write a run's linear and relu nets as a workbook of live formulas."""

import os
from argparse import Namespace
from pathlib import Path

from titanic_nn.cli.console import Parser, say
from titanic_nn.cli.options import add_run_argument
from titanic_nn.errors import ConfigError
from titanic_nn.files import write_bytes

PARSER = Parser(prog="titanic-nn spreadsheet", description=__doc__)
add = PARSER.add_argument
add_run_argument(PARSER)
add("--out", required=True, type=Path, metavar="FILE", help="the file to write, such as nets.xlsx")
add("--rows", type=int, default=30, metavar="N", help="labelled rows of the run's table (30)")
add("--model", metavar="NAME", help="linear or relu; both by default")
add("--data", type=Path, metavar="DIR", help="its tables, if they have moved")


@PARSER.command
def main(args: Namespace) -> None:
    if args.rows < 1:
        raise ConfigError(f"--rows {args.rows}: choose 1 or more")
    if args.out.suffix.lower() != ".xlsx":
        raise ConfigError(f"--out {args.out}: choose a name that ends in .xlsx")
    if os.path.lexists(args.out):
        raise ConfigError(f"--out {args.out}: is there already; choose another name")

    from titanic_nn.runs.find import find_run, read_run
    from titanic_nn.runs.folder import read_tables
    from titanic_nn.spreadsheet.content import read_content
    from titanic_nn.spreadsheet.write import write_workbook

    run = read_run(find_run(args.run))
    content = read_content(run, read_tables(run.folder, args.data), args.rows, args.model)
    write_bytes(args.out, write_workbook(content))
    rows = content.competition.schema.row_names
    say(f"Written: {args.out}, {', '.join(content.nets)} for {len(content.y)} {rows}")
    for name, why in content.left_out.items():
        say(f"Without the sheet {name}: {why}")
