"""What is searched, and how a TOML file changes it."""

from dataclasses import asdict, fields
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from titanic_nn.competitions.registry import COMPETITIONS, get_competition
from titanic_nn.errors import ConfigError
from titanic_nn.nets.config import DeepConfig, LinearConfig, Range, ReLUConfig
from titanic_nn.nets.registry import NETS
from titanic_nn.tuning.spaces import load_space


def write(path: Path, text: str) -> Path:
    (path / "space.toml").write_text(text, encoding="utf-8")
    return path / "space.toml"


@pytest.mark.parametrize("model", NETS)
def test_every_parameter_is_a_setting_and_no_bound_is_refused(model: str) -> None:
    space = load_space(model)  # builds the settings of every bound and choice
    assert set(space.searched) | set(space.fixed) <= {f.name for f in fields(NETS[model].config)}
    assert not space.fixed


def test_a_trial_sets_what_is_searched_and_the_rest_is_the_default() -> None:
    params = {"epochs": 30, "learning_rate": 0.02, "weight_decay": 0.5, "hidden_size": 48}
    config = load_space("relu").config({**params, "schedule": "cosine"})
    assert config == ReLUConfig(**params, schedule="cosine")  # type: ignore[arg-type]


def test_a_tuple_is_a_text_for_optuna() -> None:
    space = load_space("deep")
    layers = space.distributions["hidden_sizes"]
    assert isinstance(layers, CategoricalDistribution)
    assert "64-32" in layers.choices
    config = space.config({"hidden_sizes": "64-32-16"})
    assert isinstance(config, DeepConfig)
    assert config.hidden_sizes == (64, 32, 16)


def test_a_file_fixes_narrows_and_adds(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [deep]
        epochs = 20
        hidden_sizes = { choices = [[8, 4], [16]] }
        learning_rate = { low = 0.003, high = 0.03 }
        dropout = { low = 0, high = 1e-1 }
        l1 = { low = 1e-6, high = 1e-3, log = true }
        [relu]
        hidden_size = { low = 16, high = 32, step = 16 }
        """,
    )
    deep = load_space("deep", path)
    assert deep.fixed["epochs"] == 20
    assert "epochs" not in deep.searched
    found = deep.distributions
    assert found["hidden_sizes"] == CategoricalDistribution(["8-4", "16"])
    assert found["learning_rate"] == FloatDistribution(0.003, 0.03, log=True)  # as before
    assert found["dropout"] == FloatDistribution(0, 0.1)
    assert found["l1"] == FloatDistribution(1e-6, 1e-3, log=True)
    assert deep.config({"hidden_sizes": "16", "dropout": 0.1}) == DeepConfig(
        epochs=20, hidden_sizes=(16,), dropout=0.1
    )
    assert load_space("relu", path).searched["hidden_size"] == Range(16, 32, step=16)
    assert load_space("relu", path).distributions["hidden_size"] == IntDistribution(16, 32, step=16)
    assert load_space("linear", path) == load_space("linear")


def test_another_optimizer_can_be_fixed(tmp_path: Path) -> None:
    text = '[linear]\noptimizer = "sgd"\nmomentum = { low = 0.0, high = 0.9 }\nweight_decay = 0.0\n'
    config = load_space("linear", write(tmp_path, text)).config({"momentum": 0.5})
    assert config == LinearConfig(optimizer="sgd", momentum=0.5)


def test_two_spaces_have_different_descriptions(tmp_path: Path) -> None:
    narrow = load_space("relu", write(tmp_path, "[relu]\nepochs = 20\n"))
    before, after = load_space("relu").describe(), narrow.describe()
    assert {name for name in before if before[name] != after[name]} == {"epochs"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[relu]\nepoch = 20\n", "there is no setting relu.epoch; did you mean relu.epochs?"),
        ("[relu]\nepochs = 0\n", "relu.epochs = 0: input should be greater than or equal to 1"),
        ("[relu]\nlearning_rate = { low = -1.0, high = 1.0, log = false }\n", "learning_rate = -1"),
        ("[relu]\nlearning_rate = { low = 1.0, high = 0.1 }\n", "relu.learning_rate: "),
        ("[relu]\nlearning_rate = { low = 0.1 }\n", "relu.learning_rate: give a value"),
        ('[relu]\nlearning_rate = { low = "a", high = "b" }\n', "relu.learning_rate: "),
        ('[relu]\nschedule = { choices = ["cosine", "linear"] }\n', "schedule = 'linear'"),
        ("[relu]\nschedule = { choices = [] }\n", "relu.schedule: "),
        ('[relu]\noptimizer = "sgd"\n', "weight_decay does nothing"),
        ("[rlu]\nepochs = 20\n", "rlu: give a table for one of linear, relu, deep"),
        ("relu = 3\n", "relu: give a table"),
        ("[relu\n", "is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load_space("relu", path)
    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_something_must_be_left_to_search(tmp_path: Path) -> None:
    config = asdict(LinearConfig())
    fixed = "".join(f"{n} = {config[n]!r}\n" for n in load_space("linear").searched)
    with pytest.raises(ConfigError, match="fixes every setting of linear"):
        load_space("linear", write(tmp_path, f"[linear]\n{fixed}"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load_space("relu", tmp_path / "nowhere.toml")


@pytest.mark.parametrize("slug", COMPETITIONS)
def test_what_was_tuned_for_a_competition_is_what_is_searched(slug: str) -> None:
    for model, values in get_competition(slug).tuned().items():
        if model in NETS:
            assert set(values) >= set(load_space(model).searched)
