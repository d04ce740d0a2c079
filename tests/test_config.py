"""Settings travel through TOML unchanged, and a mistake in them is one line that says where."""

import os
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest

from titanic_nn.competitions.registry import load_config
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.config import (
    ENSEMBLE,
    ENSEMBLE_RIVALS,
    Config,
    FeatureConfig,
    check_config,
    read_toml,
)
from titanic_nn.errors import ConfigError
from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig
from titanic_nn.nets.registry import NETS, spec_of

# Every registered net has this setting.
EPOCHS: dict[str, Any] = {name: {"epochs": 3} for name in NETS}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def read(file: Path, text: str) -> Config:
    file.write_text(text, encoding="utf-8")
    return Config.from_toml(file)


OTHER = Config(
    competition="other",
    models=("deep", "linear"),
    rivals=("catboost", "xgboost"),
    ensemble_rivals=True,
    folds=5,
    repeats=2,
    seed=7,
    n_seeds=3,
    inner_folds=3,
    device="cpu",
    history_points=4,
    features=FeatureConfig(count_groups_among="known"),
    nets={
        "linear": LinearConfig(batch_size="all", optimizer="sgd", momentum=0.9, l1=1e-3),
        "relu": ReLUConfig(hidden_size=12, weight_decay=0.1, learning_rate=3e-4),
        "deep": DeepConfig(
            hidden_sizes=(9, 8, 7), activation="gelu", normalization="batch", dropout=0.25
        ),
    },
)


@pytest.mark.parametrize(
    "config", [Config(), OTHER, TITANIC.config()], ids=["default", "other", "titanic"]
)
def test_written_and_read_again_they_are_equal(config: Config, file: Path) -> None:
    assert read(file, config.to_toml()) == config


def test_without_a_file_they_are_the_defaults() -> None:
    assert Config.from_toml() == Config()


def test_a_file_may_leave_anything_out(file: Path) -> None:
    text = "folds = 4\n[deep]\nhidden_sizes = [16]\n[features]\nmin_category_rows = 9\n"
    default = Config()
    assert read(file, text) == replace(
        default,
        folds=4,
        nets={**default.nets, "deep": DeepConfig(hidden_sizes=(16,))},
        features=replace(default.features, min_category_rows=9),
    )


def test_an_empty_file_changes_nothing(file: Path) -> None:
    assert read(file, "") == Config()


def test_overrides_replace_the_files_settings_and_none_is_no_override(file: Path) -> None:
    file.write_text("folds = 4\nseed = 1\n", encoding="utf-8")
    config = Config.from_toml(file, folds=3, seed=None, models=["relu"])
    assert (config.folds, config.seed, config.models) == (3, 1, ("relu",))


def test_an_override_of_a_net_keeps_its_other_settings() -> None:
    config = Config.from_toml(relu={"hidden_size": 5})
    assert config.nets["relu"] == ReLUConfig(hidden_size=5)
    tuned = TITANIC.config().nets["relu"]
    assert TITANIC.config(relu={"hidden_size": 5}).nets["relu"] == replace(tuned, hidden_size=5)


def test_they_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().nets["relu"].hidden_size = 3
    with pytest.raises(FrozenInstanceError):
        Config().folds = 3  # type: ignore[misc]


def test_every_registered_net_is_found_by_its_name() -> None:
    for config in (Config(), Config(nets={"relu": ReLUConfig()}), TITANIC.config()):
        assert list(config.nets) == list(NETS)
        for name, net in config.nets.items():
            assert spec_of(net).name == name


def test_several_nets_have_an_ensemble_and_one_has_none() -> None:
    assert Config(models=("deep", "relu")).predictors == ("deep", "relu", ENSEMBLE)
    assert Config(models=("relu",)).predictors == ("relu",)


def test_the_ensemble_with_rivals_is_not_saved() -> None:
    config = Config(rivals=("xgboost",), ensemble_rivals=True)
    assert config.predictors == Config().predictors
    assert config.unsaved == (ENSEMBLE_RIVALS,)
    assert Config(rivals=("xgboost",)).unsaved == ()


@pytest.mark.parametrize(
    "nets", [{"relu": LinearConfig()}, {"relu": {"epochs": 3}}, {"cnn": ReLUConfig()}]
)
def test_a_net_with_settings_of_another_class_is_refused(nets: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"^nets: \w+ is no net with settings \w+$"):
        check_config(Config, {"nets": nets})
    with pytest.raises(ConfigError, match=r"^relu = LinearConfig\("):
        Config.from_toml(relu=LinearConfig())
    with pytest.raises(ConfigError, match=r"^there is no setting nets; name a net's settings by"):
        Config.from_toml(nets=nets)


# --- One home per default ---


@pytest.mark.parametrize("name", NETS)
def test_a_nets_value_is_the_competitions_tuned_one_or_else_the_default_of_its_class(
    name: str,
) -> None:
    tuned, default = TITANIC.tuned().get(name, {}), NETS[name].default()
    found = TITANIC.config().nets[name]
    for field in fields(NETS[name].config):
        value = getattr(found, field.name)
        if field.name in tuned:
            expected = tuned[field.name]
            assert value == (tuple(expected) if isinstance(expected, list) else expected)
        else:
            assert value == getattr(default, field.name)


@pytest.mark.parametrize("name", NETS)
def test_a_competition_states_values_of_searched_settings_only(name: str) -> None:
    # What was not searched would repeat a default, which then had two homes.
    assert set(TITANIC.tuned().get(name, {})) <= set(NETS[name].config.search_space)


def test_a_file_of_tuned_values_holds_its_own_net_only() -> None:
    assert TITANIC.params is not None
    files = list(TITANIC.params.glob("*.toml"))
    assert files
    for path in files:
        assert list(read_toml(path)) == [path.stem]
        assert path.stem in NETS


def test_but_for_the_nets_a_competition_has_the_runs_defaults() -> None:
    assert replace(TITANIC.config(), nets=Config().nets) == Config()


@pytest.mark.parametrize("name", NETS)
def test_searched_settings_exist_and_their_ranges_hold_valid_values(name: str) -> None:
    cls = NETS[name].config
    for setting, space in cls.search_space.items():
        values = space.values if hasattr(space, "values") else (space.low, space.high)
        for value in values:
            assert getattr(check_config(cls, {setting: value}), setting) == value


# --- Which competition ---


def test_the_competition_is_recorded_and_read_back(file: Path) -> None:
    config = load_config(folds=3)
    assert config == TITANIC.config(folds=3)
    assert config.competition == "titanic"
    assert 'competition = "titanic"' in config.to_toml()
    file.write_text(config.to_toml(), encoding="utf-8")
    assert load_config(file) == load_config(file, competition="titanic") == config


def test_a_file_for_another_competition_than_the_one_asked_for_is_refused(file: Path) -> None:
    file.write_text("competition = 'spaceship'\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"mine\.toml: is for competition spaceship, not titanic$"
    ):
        load_config(file, competition="titanic")
    with pytest.raises(ConfigError, match="competition 'spaceship' is not known here; choose from"):
        load_config(file)


def test_tuned_values_yield_to_a_file_and_a_file_to_an_override(file: Path) -> None:
    file.write_text("[relu]\nepochs = 7\n[deep]\nepochs = 8\n", encoding="utf-8")
    tuned = TITANIC.config()
    config = TITANIC.config(file, deep={"epochs": 9})
    assert config.nets["relu"] == replace(tuned.nets["relu"], epochs=7)
    assert config.nets["deep"] == replace(tuned.nets["deep"], epochs=9)
    assert config.nets["linear"] == tuned.nets["linear"]


def test_every_net_takes_overrides_by_its_name() -> None:
    config = TITANIC.config(**EPOCHS)
    assert [net.epochs for net in config.nets.values()] == [3] * len(NETS)


# --- Mistakes ---

# What is wrong in a file, and the error after the file's name.
MISTAKES = {
    "unknown": ("fold = 4", r"there is no setting fold; did you mean folds\?"),
    "unknown in a table": (
        "[relu]\nlearning_rat = 0.1",
        r"there is no setting relu\.learning_rat; did you mean relu\.learning_rate\?",
    ),
    "unknown table": (
        "[rellu]\nhidden_size = 4",
        r"there is no setting rellu; did you mean relu\?",
    ),
    "not of this net": ("[linear]\ndropout = 0.1", r"there is no setting linear\.dropout"),
    "without its table": ("epochs = 9", r"there is no setting epochs; did you mean \w+\.epochs\?"),
    "like nothing": ("xyzzy = 1", "there is no setting xyzzy$"),
    "one fold": ("folds = 1", "folds = 1: .*greater than or equal to 2"),
    "no repeat": ("repeats = 0", "repeats = 0: .*greater than or equal to 1"),
    "negative seed": ("seed = -1", "seed = -1: .*greater than or equal to 0"),
    "huge seed": ("seed = 4294967296", "seed = 4294967296: .*less than 4294967296"),
    "no seeds": ("n_seeds = 0", "n_seeds = 0: .*greater than or equal to 1"),
    "unknown device": ("device = 'tpu'", "device = 'tpu': .*'auto', 'cpu' or 'cuda'"),
    "no models": ("models = []", "models = .*at least 1"),
    "unknown model": (
        "models = ['cnn']",
        "models: there is no net 'cnn'; choose from linear, relu, deep",
    ),
    "nearly a model": ("models = ['rellu']", r"deep, resnet; did you mean relu\?$"),
    "a number for a model": ("models = ['relu', 3]", r"models\[1\] = 3: .*string"),
    "model twice": ("models = ['relu', 'relu']", "models: relu is named 2 times"),
    "no epochs": ("[deep]\nepochs = 0", r"deep\.epochs = 0: .*greater than or equal to 1"),
    "half an epoch": ("[deep]\nepochs = 2.5", r"deep\.epochs = 2\.5: .*integer"),
    "no rows a step": ("[deep]\nbatch_size = 0", r"deep\.batch_size = 0: "),
    "batch of some": ("[relu]\nbatch_size = 'some'", r"relu\.batch_size = 'some': "),
    "no learning rate": ("[relu]\nlearning_rate = 0", r"relu\.learning_rate = 0: .*greater than 0"),
    "infinite": ("[relu]\nlearning_rate = inf", r"relu\.learning_rate = inf: .*finite"),
    "not a number": ("[relu]\nl2 = nan", r"relu\.l2 = nan: "),
    "negative penalty": ("[linear]\nl1 = -0.1", r"linear\.l1 = -0\.1: .*greater than or equal"),
    "all dropped": (
        "[deep]\ndropout = 1.0",
        r"deep\.dropout = 1\.0: .*less than or equal to 0\.9999",
    ),
    "dropout nan": ("[deep]\ndropout = nan", r"deep\.dropout = nan: "),
    "no layers": ("[deep]\nhidden_sizes = []", r"deep\.hidden_sizes = .*at least 1"),
    "empty layer": (
        "[deep]\nhidden_sizes = [8, 0]",
        r"deep\.hidden_sizes\[1\] = 0: .*greater than or equal to 1",
    ),
    "no activation": ("[deep]\nactivation = 'swish'", r"deep\.activation = 'swish': .*'relu'"),
    "momentum under adam": (
        "[relu]\noptimizer = 'adam'\nmomentum = 0.9",
        r'relu: momentum does nothing under "adam": use "sgd", or 0',
    ),
    "momentum under adamw": (
        "[deep]\noptimizer = 'adamw'\nmomentum = 0.9",
        r'deep: momentum does nothing under "adamw": use "sgd", or 0',
    ),
    "decay under adam": (
        "[linear]\noptimizer = 'adam'\nweight_decay = 0.1",
        r'linear: weight_decay does nothing under "adam": use "adamw", or l2',
    ),
    "decay under sgd": (
        "[linear]\noptimizer = 'sgd'\nweight_decay = 0.1",
        r'linear: weight_decay does nothing under "sgd": use "adamw", or l2',
    ),
    "a number for a table": ("relu = 3", "relu = 3: "),
    "a table of all nets": ("[nets.relu]\nepochs = 3", "there is no setting nets"),
    "an unknown rival": (
        'rivals = ["catbost"]',
        "there is no rival 'catbost'; choose from xgboost, lightgbm, catboost; did you mean catb",
    ),
    "a rival twice": ('rivals = ["xgboost", "xgboost"]', "rivals: xgboost is named 2 times"),
    "no truth": ("ensemble_rivals = 1", "ensemble_rivals = 1: .*boolean"),
    "one inner fold": ("inner_folds = 1", "inner_folds = 1: choose 2 or more, or 0 for none"),
    "endless": ("[relu]\nepochs = 1000000001", r"relu\.epochs = 1000000001: .*less than"),
    "batch beyond int64": (f"[relu]\nbatch_size = {2**63}", r"relu\.batch_size = 9\d+: "),
    "bits": (f"folds = 0x{'f' * 10_000}", "folds = an integer of 40000 bits: .*less than"),
    "digits": (f"folds = {'9' * 5000}", "is not TOML: Exceeds the limit"),
    "layers": (f"[deep]\nhidden_sizes = {[1] * 1001}", r"deep\.hidden_sizes = \[1, .*at most 1000"),
    "blocks": ("[resnet]\nn_blocks = 1001", r"resnet\.n_blocks = 1001: .*less than"),
    "rates beyond float32": ("[relu]\nlearning_rate = 1e31", r"relu\.learning_rate = 1e\+31: "),
    "nested": (f"models = {'[' * 3000}{']' * 3000}", "nested too deeply"),
    "nested keys": (f"relu.epochs{'.a' * 3000} = 1", r"relu\.epochs = \{'a': \{'a': .*integer"),
    "a long value": (f"device = '{'a' * 9999}'", r"device = 'a{1,60}\.\.\.a{1,60}': "),
    "a long name": (f"{'a' * 9999} = 1", r"there is no setting a{100}\.\.\.$"),
    "not TOML": ("folds = ", "is not TOML: Invalid value"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_file_setting_and_value(mistake: str, file: Path) -> None:
    text, complaint = MISTAKES[mistake]
    with pytest.raises(ConfigError, match=complaint) as raised:
        read(file, text)
    message = str(raised.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"mine\.toml: cannot be read as a file: No such file"):
        Config.from_toml(file)


def test_what_is_no_file_of_a_sensible_size_is_refused_unread(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(ConfigError, match=r"mine\.toml: cannot be read as a file: it is a pipe"):
        Config.from_toml(file)
    with pytest.raises(ConfigError, match=r"/dev/zero: cannot be read as a file: .*device"):
        Config.from_toml(Path("/dev/zero"))
    with pytest.raises(ConfigError, match="cannot be read as a file: Is a directory"):
        Config.from_toml(file.parent)
    file.unlink()
    file.touch()
    os.truncate(file, 100 * 2**20)
    with pytest.raises(ConfigError, match=r"mine\.toml: has 104857600 bytes, more than the"):
        Config.from_toml(file)


def test_a_file_that_is_not_utf_8_is_named(file: Path) -> None:
    file.write_bytes(b"device = '\xff'")
    with pytest.raises(ConfigError, match=r"mine\.toml: is not TOML"):
        Config.from_toml(file)


def test_a_mistake_in_an_override_names_the_setting_alone() -> None:
    with pytest.raises(ConfigError, match=r"^folds = 1: "):
        Config.from_toml(folds=1)
    with pytest.raises(ConfigError, match=r"^there is no setting modells; did you mean models\?"):
        Config.from_toml(modells=["relu"])


def test_naming_another_optimizer_drops_tuned_values_that_act_under_the_tuned_one_only(
    file: Path,
) -> None:
    # A file that names another optimizer is not refused for values that it does not set.
    for optimizer in ("sgd", "adam", "adamw"):
        for name in NETS:
            file.write_text(f"[{name}]\noptimizer = '{optimizer}'\n", encoding="utf-8")
            found: NetConfig = TITANIC.config(file).nets[name]
            assert found.optimizer == optimizer
            assert optimizer == "adamw" or found.weight_decay == 0
            assert read(file, file.read_text()).nets[name].optimizer == optimizer
