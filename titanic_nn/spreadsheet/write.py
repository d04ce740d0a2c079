"""The whole workbook."""

import numpy as np

from titanic_nn.errors import ConfigError
from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.features import write_features
from titanic_nn.spreadsheet.fitted import write_fitted
from titanic_nn.spreadsheet.linear import write_linear
from titanic_nn.spreadsheet.multiply import write_multiply
from titanic_nn.spreadsheet.read_me import write_read_me
from titanic_nn.spreadsheet.relu import write_relu
from titanic_nn.spreadsheet.rows import write_rows
from titanic_nn.spreadsheet.train import write_train
from titanic_nn.spreadsheet.workbook import Book

TOLERANCE = 1e-5  # more than rounding to float32, less than an error of a formula
NET_SHEETS = {"linear": write_linear, "relu": write_relu}


def write_workbook(content: Content) -> bytes:
    """The workbook as the bytes of an .xlsx file.

    Raises ConfigError where its probabilities are not the model's.
    """
    book = Book(f"{content.competition.title}: neural nets as formulas")
    names = ["read me", content.rows_sheet, "features", "fitted", *content.nets]
    sheets = {name: book.sheet(name) for name in [*names, "train", "multiply"]}
    rows = write_rows(sheets[content.rows_sheet], content)
    fitted = write_fitted(sheets["fitted"], content)
    features = write_features(sheets["features"], content, rows, fitted)
    for name, write in NET_SHEETS.items():
        if name in content.nets:
            p = write(sheets[name], content, rows, features)
            difference = np.abs(p - content.probabilities[name]).max()
            if not difference <= TOLERANCE:
                raise ConfigError(
                    f"{name}: its formulas give probabilities that differ from the model's by up "
                    f"to {difference:.1g}"
                )
    train = write_train(sheets["train"], content, rows, features)
    write_multiply(sheets["multiply"], content, rows, train)
    write_read_me(sheets["read me"], content)
    return book.close()
