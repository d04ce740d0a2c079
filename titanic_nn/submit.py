"""`python -m titanic_nn.submit`; the command is in cli/submit.py."""

from titanic_nn.cli.process import run
from titanic_nn.cli.submit import main

if __name__ == "__main__":
    run(main)
