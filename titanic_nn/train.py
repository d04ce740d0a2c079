"""`python -m titanic_nn.train`; the command is in cli/train.py."""

from titanic_nn.cli.process import run
from titanic_nn.cli.train import main

if __name__ == "__main__":
    run(main)
