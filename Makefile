# make lab      opens JupyterLab on the first notebook
# make test     runs the tests (no browser needed)
# Both make their environment by themselves; only Python 3.11+ is needed.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
LAB_ARGS ?=
PYTEST_ARGS ?=

.PHONY: lab test test-browser test-torch notebooks screenshots env clean

lab: $(VENV)/.lab
	$(BIN)/jupyter lab $(LAB_ARGS) notebooks/01_first_steps.ipynb

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 -m "not browser and not torch" $(PYTEST_ARGS)

test-browser: $(VENV)/.browser
	$(BIN)/python -m pytest -m browser $(PYTEST_ARGS)

test-torch: $(VENV)/.torch
	$(BIN)/python -m pytest -m torch $(PYTEST_ARGS)

notebooks: $(VENV)/.test
	$(BIN)/python notebooks/run.py

screenshots: $(VENV)/.browser
	$(BIN)/python docs/screenshots.py

# every extra, the heavy ones too
env: $(VENV)/.lab $(VENV)/.test $(VENV)/.browser $(VENV)/.torch
	$(BIN)/python -m pip install -q -e ".[onnx,dev]"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip

$(VENV)/.lab: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e ".[notebooks]"
	touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e ".[notebooks,test]"
	touch $@

$(VENV)/.browser: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e ".[notebooks,test,browser]"
	touch $@

$(VENV)/.torch: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e ".[notebooks,test,torch]"
	touch $@

clean:
	rm -rf $(VENV)
