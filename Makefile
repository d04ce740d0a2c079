# Two commands: `make train` and `make test`. Each makes .venv on first use; later both start at once.

PYTHON ?= python3
VENV := .venv
# One more than the cores of a small machine: some tests wait for processes and servers.
WORKERS := 3
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: train test test-slow lint types check lab notebooks practice bench bench-tune bench-estimators bench-splits bench-rivals bench-gpu test-gpu torture wheel kaggle-dataset clean \
	test-oldest test-kaggle test-colab test-newest smoke-oldest smoke-kaggle smoke-colab smoke-newest
.DEFAULT_GOAL := train

train: $(VENV)/.installed  ## cross-validate the nets and write submissions (ARGS="--data DIR ...")
	$(BIN)/python -m titanic_nn.train $(ARGS)

test: $(VENV)/.installed-dev  ## run the tests (ARGS="-k metrics ...")
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile -m "not slow" $(ARGS)

test-slow: $(VENV)/.installed-dev  ## attacks, installations, servers, LibreOffice, a terminal, further tables
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile -m slow $(ARGS)

lint: $(VENV)/.installed-dev  ## ruff: mistakes and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev  ## mypy, strict
	$(BIN)/mypy

lab: $(VENV)/.installed-notebooks  ## open the first notebook in JupyterLab, for this machine only
	$(BIN)/jupyter-lab --ip=127.0.0.1 notebooks/01_how_a_neural_net_works.ipynb $(ARGS)

notebooks: $(VENV)/.installed-dev  ## run all notebooks (ARGS="--write" keeps their new outputs)
	$(BIN)/python notebooks/execute.py $(ARGS)

practice: $(VENV)/.installed-dev  ## copies of the notebooks to practise with (notebooks/practice)
	$(BIN)/python notebooks/practice.py $(ARGS)

check: lint types test test-slow  ## all that CI asks of the code

bench: $(VENV)/.installed-dev  ## our engine against the plain ways (ARGS="--nets 1000 ...")
	$(BIN)/python -m benchmarks.engine $(ARGS)

test-gpu: $(VENV)/.installed-dev  ## the engine, classifiers, tuning and a run on a GPU
	$(BIN)/python -m pytest -m "gpu or triton" $(ARGS)

bench-gpu: $(VENV)/.installed-dev  ## what a GPU gives: nets per second of each way, a run, a study
	$(BIN)/python -m benchmarks.gpu $(ARGS)

bench-tune: $(VENV)/.installed-dev  ## our search against Optuna over plain loops (ARGS="sampler")
	$(BIN)/python -m benchmarks.tuning $(ARGS)

bench-estimators: $(VENV)/.installed-dev  ## the scikit-learn face: all folds at once, other tables
	$(BIN)/python -m benchmarks.estimators $(ARGS)

bench-splits: $(VENV)/.installed-dev  ## do cross-validated scores hold on other rows? (ARGS="--cuts 5")
	$(BIN)/python -m benchmarks.splits $(ARGS)

bench-rivals: $(VENV)/.installed-dev  ## our nets against XGBoost, LightGBM and CatBoost (ARGS="--competition SLUG ...")
	$(BIN)/python -m benchmarks.rivals $(ARGS)

torture: $(VENV)/.installed-dev  ## attack the package for ten minutes (ARGS="--parts models ...")
	PYTHONPATH=tests $(BIN)/python -m torture $(ARGS)

wheel: $(VENV)/.installed-dev  ## build the wheel into dist/
	$(BIN)/python -m build --wheel --outdir dist .

kaggle-dataset: $(VENV)/.installed-dev  ## wheels for notebooks without the Internet (OWNER=your-name)
	$(BIN)/python -m constraints.kaggle_dataset --owner "$(OWNER)" $(ARGS)

# The suite with the versions of other places, each in .venvs/NAME (docs/install.md). TORCH=2.13.0
# replaces torch only: its builds for CUDA are several GB. Warnings are of versions old and new;
# versions of numba do not read each other's compiled files.
WITH_VERSIONS = NUMBA_CACHE_DIR=$(CURDIR)/$(<D)/numba $(<D)/bin/python -m pytest -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning \
	--numprocesses $(WORKERS) --dist loadfile

test-oldest: .venvs/oldest/.installed-dev  ## the tests with the lowest versions that pyproject.toml allows
	$(WITH_VERSIONS) $(ARGS)
test-kaggle: .venvs/kaggle/.installed-dev  ## the tests with the versions of Kaggle's image
	$(WITH_VERSIONS) $(ARGS)
test-colab: .venvs/colab/.installed-dev  ## the tests with the versions of Colab's image
	$(WITH_VERSIONS) $(ARGS)
test-newest: .venvs/newest/.installed-dev  ## the tests with the newest versions that there are
	$(WITH_VERSIONS) $(ARGS)

# A small part of the suite, without the packages of the extras: the wheel, train, tune, submit.
SMOKE := tests/places tests/test_api.py tests/kaggle/test_loop.py tests/kaggle/test_server.py tests/cli/test_tune.py

smoke-oldest: .venvs/oldest/.installed
	$(WITH_VERSIONS) $(SMOKE) $(ARGS)
smoke-kaggle: .venvs/kaggle/.installed
	$(WITH_VERSIONS) $(SMOKE) $(ARGS)
smoke-colab: .venvs/colab/.installed
	$(WITH_VERSIONS) $(SMOKE) $(ARGS)
smoke-newest: .venvs/newest/.installed
	$(WITH_VERSIONS) $(SMOKE) $(ARGS)

clean:  ## remove what make made
	rm -rf $(VENV) .venvs dist

# The stamps hold what was installed: they are stale when pyproject.toml or the pins change.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "titanic_nn needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/.installed-notebooks: $(VENV)/.installed
	$(INSTALL) --editable ".[notebooks]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --editable ".[dev]"
	touch $@

# The versions of a place, in .venvs/NAME/wanted.txt; constraints.txt has TORCH instead of its torch.
# By the certificates of the system, as pip.
UV = $(BIN)/uv --system-certs pip
UV_INSTALL = $(UV) install --quiet --python $(@D)/bin/python --constraint $(@D)/constraints.txt
.SECONDARY:

.venvs/oldest/wanted.txt: pyproject.toml $(VENV)/.installed-dev
	mkdir -p $(@D)
	$(UV) compile --quiet --no-header --no-annotate --resolution lowest-direct --python $(PYTHON) \
		--extra dev --output-file $@ pyproject.toml

.venvs/newest/wanted.txt: pyproject.toml
	mkdir -p $(@D)
	touch $@

.venvs/%/wanted.txt: constraints/%-2026-06.txt
	mkdir -p $(@D)
	cp $< $@

.venvs/%/constraints.txt: .venvs/%/wanted.txt
ifdef TORCH
	sed -e '/^torch==/d' -e '/^nvidia-/d' $< >$@
	echo torch==$(TORCH) >>$@
	@echo "$*: torch $(TORCH) instead of $$(grep '^torch==' $< || echo the newest)"
else
	cp $< $@
endif

.venvs/%/.installed: .venvs/%/constraints.txt pyproject.toml $(VENV)/.installed-dev
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(if $(TORCH),$(@D)/bin/python -m pip install --quiet --disable-pip-version-check torch==$(TORCH))
	$(UV_INSTALL) --editable . hatchling pytest pytest-xdist
	touch $@

.venvs/%/.installed-dev: .venvs/%/.installed
	$(UV_INSTALL) --editable ".[dev]"
	touch $@
