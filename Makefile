# The two commands of the README. Everything lands in .venv; nothing else on the machine is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_WORKERS ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check quick docs picture clean

demo: $(VENV)/.installed
	$(BIN)/linrep demo --out demo

test: $(VENV)/.installed-dev check
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --doctest-modules src/linrep tests -m "not gpu"

# Every experiment, cut down to minutes; found again where it has run before.
quick: $(VENV)/.installed
	$(BIN)/linrep reproduce --all --quick --workers $(TEST_WORKERS) --out reproduced/quick

# The documentation site, in build/docs/index.html: every tutorial is run, every warning is an error.
docs: $(VENV)/.installed-dev
	$(BIN)/python -m sphinx -q -E -W --keep-going -b html docs build/docs -d build/doctrees

# The pictures of the README and of the site's front page, from the demo's page, the gallery and the live laboratory; they need
# a Chromium.
picture: $(VENV)/.installed-dev
	$(BIN)/python docs/picture.py docs/images/page.png
	$(BIN)/linrep gallery --from docs/results --out gallery
	$(BIN)/python docs/picture.py docs/images/gallery.png --page gallery/index.html
	$(BIN)/python docs/picture.py docs/images/explore.png --story wider

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch first and alone: its pin must be seen before any other package asks for "some torch".
$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build demo gallery runs reproduced/quick .pytest_cache .ruff_cache .hypothesis
