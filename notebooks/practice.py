"""Write practice copies of the notebooks: `make practice`.

`clean` has the code under its headings, without prose and outputs: say what each cell will show,
then run it. `gaps` has no key lines either, only what they do: write them, then compare with the
lesson. A copy that exists is kept, since it may hold work; delete it to get a new one.
"""

import argparse
from pathlib import Path

import nbformat
from nbformat import NotebookNode

HERE = Path(__file__).parent

# The key lines of each notebook, and what takes their place in `gaps`.
KEY_LINES = {
    "01_how_a_neural_net_works": {
        "return a * x**2 + b * x + c": "return the parabola at x",
        "return (predicted - true).abs().mean()": "return the mean absolute error",
        "return ((predicted - true) ** 2).mean()": "return the mean squared error",
        "loss.backward()": "compute the gradient",
        "error.backward()": "compute the gradient",
        "parameters -= learning_rate * parameters.grad": "one step against the gradient",
        "parameter -= learning_rate * parameter.grad": "one step against the gradient",
        "return (m * x + b).clamp(min=0)": "return the line, with zero where it is negative",
        "dz = 2 * (z - y)": "dz, the slope of the loss",
        "dk = dz * r": "dk, by the chain rule",
        "dr = dz * k": "dr, by the chain rule",
        "da = dr if a > 0 else 0.0": "da, by the chain rule",
        "dm = da * x": "dm, by the chain rule",
        "params[name] -= 0.02 * gradients[name]": "one step against the gradient",
    },
    "02_linear_model_and_net_from_scratch": {
        "training_rows = train.iloc[split.train]": "training_rows: those that may be used",
        'return x @ params["w"] + params["b"]': "return the logits of the linear model",
        "return -(t * p.log() + (1 - t) * (1 - p).log()).mean()": "return the mean cross-entropy",
        "params = {name: params[name] - learning_rate * gradient[name] for name in params}": (
            "params after one step against the gradient"
        ),
        'h = (x @ params["w1"] + params["b1"]).relu()  # (rows, hidden)': "h, the hidden units",
        'return h @ params["w2"] + params["b2"]  # (rows, 1)': "return the logits",
        'x = (x @ params[f"w{i}"] + params[f"b{i}"]).relu()': "x after layer i",
    },
    "03_training_choices": {
        "training, held_out = nets.loss.mean((0, 1)).T  # each (epochs,)": (
            "training, held_out: the mean curves of all nets"
        ),
        "nets = train_trials([replace(RELU, learning_rate=float(rate)) for rate in rates])": (
            "nets: relu nets of all the learning rates"
        ),
        "near_zero = float((weights.abs() < 0.01).float().mean())": (
            "near_zero: the fraction of weights within 0.01 of zero"
        ),
    },
    "04_compare_models": {
        "result = titanic_nn.compare_models(tables)": "result: cross-validate all models",
        "best = result.recommended": "best: the name of the recommended model",
        "print(sentences.learning_curve(curve))": "print the learning curve in words",
    },
    "05_tuning": {
        'best = trials[trials["state"] == "complete"].head(20)': (
            "best: the twenty best complete trials"
        ),
        'correlation = best["log_loss"].corr(fresh_losses, "spearman")': (
            "correlation: the rank correlation of the losses on both kinds of folds"
        ),
    },
    "06_submit_and_track": {
        'fraction = submission["Survived"].mean()': "fraction: how many are predicted to survive",
        "score = offline_score(file, tables)": "score: the accuracy on the bundled answers",
    },
    "07_another_data_set": {
        'return x @ params["w"] + params["b"]': "return the logits of the linear model",
        'h = (x @ params["w1"] + params["b1"]).relu()  # (rows, hidden)': "h, the hidden units",
        'return h @ params["w2"] + params["b2"]  # (rows, 1)': "return the logits of the net",
        "return -(t * p.log() + (1 - t) * (1 - p).log()).mean()": "return the mean cross-entropy",
        "scaler = StandardScaler().fit(x_rows)": "scaler: fitted on the rows that may be used",
        "params = {name: params[name] - learning_rate * leaves[name].grad for name in params}": (
            "params after one step against the gradient"
        ),
        "scores = run(model, rows, y, cv=folds, scoring=scoring)": "scores: of this model's folds",
        "comparison = comparison_table(nets)": "comparison: with the best one, on the same folds",
        "p = model.fit(rows, y).predict_proba(held_out)[:, 1]": (
            "p: the held-out rows' probabilities, by a model of all other rows"
        ),
    },
}


def main() -> None:
    """Write both sets of copies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=HERE / "practice", help="a folder")
    folder = parser.parse_args().to
    for path in sorted(HERE.glob("[0-9]*.ipynb")):
        lesson = clean(nbformat.read(path, as_version=4))
        write(lesson, folder / "clean" / path.name)
        write(with_gaps(lesson, KEY_LINES[path.stem]), folder / "gaps" / path.name)


def clean(notebook: NotebookNode) -> NotebookNode:
    """The code and its headings."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            lines = cell.source.splitlines()
            cell.source = "\n\n".join(line for line in lines if line.startswith(("# ", "## ")))
        if cell.source:
            cells.append(cell)
    notebook.cells = cells
    return notebook


def with_gaps(notebook: NotebookNode, key_lines: dict[str, str]) -> NotebookNode:
    """The notebook with `...` and a comment instead of its key lines."""
    for cell in notebook.cells:
        lines = cell.source.splitlines() if cell.cell_type == "code" else []
        for i, line in enumerate(lines):
            code = line.strip()
            if code in key_lines:
                lines[i] = line.replace(code, f"...  # {key_lines[code]}")
                cell.source = "\n".join(lines)
    return notebook


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a copy, unless it exists."""
    text = nbformat.writes(notebook) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        print(f"{path}: written")
    except FileExistsError:
        print(f"{path}: kept as it is; delete it to get a new copy")


if __name__ == "__main__":
    main()
