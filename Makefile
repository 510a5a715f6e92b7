# make lab            opens JupyterLab on the first notebook; make lab LAB_ARGS=--no-browser
# make test           runs the tests that need neither a browser nor torch
# make test-browser   drives JupyterLab in headless Chromium
# make test-torch     runs the tests that need torch
# make notebooks      runs the notebooks in place and keeps their outputs
# make screenshots    takes the documentation's screenshots
# make env            installs everything, torch and ONNX Runtime too
# Each makes the environment it needs; only Python 3.11+ and make must be there.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
LAB_ARGS ?=
PYTEST_ARGS ?=
PIP_INSTALL = $(BIN)/python -m pip install -q --disable-pip-version-check
# JupyterLab asks for this when it is started by root, as in a container
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: lab test test-browser test-torch notebooks screenshots env clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

lab: $(VENV)/.lab
	$(BIN)/jupyter lab $(AS_ROOT) $(LAB_ARGS) notebooks/01_first_steps.ipynb

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 -m "not browser and not torch" $(PYTEST_ARGS)

test-browser: $(VENV)/.browser
	$(BIN)/python -m pytest -m browser tests/browser $(PYTEST_ARGS)

test-torch: $(VENV)/.torch
	$(BIN)/python -m pytest -m torch $(PYTEST_ARGS)

# without the widgets' state: a saved notebook shows their static picture, offline too
notebooks: $(VENV)/.test
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace \
	  --ExecutePreprocessor.kernel_name=python3 --ExecutePreprocessor.timeout=600 \
	  --ExecutePreprocessor.store_widget_state=False \
	  --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

screenshots: $(VENV)/.browser
	$(BIN)/python docs/screenshots.py

env: $(VENV)/.browser $(VENV)/.all

# A stamp stands for a set of extras: it is renewed when pyproject.toml changes.

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "unitylab needs Python 3.11 or newer: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --upgrade pip
	@touch $@

$(VENV)/.lab: $(VENV)/.created pyproject.toml
	$(PIP_INSTALL) -e ".[notebooks]"
	@touch $@

$(VENV)/.test: $(VENV)/.created pyproject.toml
	$(PIP_INSTALL) -e ".[notebooks,test]"
	@touch $@

$(VENV)/.browser: $(VENV)/.created pyproject.toml
	$(PIP_INSTALL) -e ".[notebooks,test,browser]"
	@touch $@

$(VENV)/.torch: $(VENV)/.created pyproject.toml
	$(PIP_INSTALL) -e ".[notebooks,test,torch]"
	@touch $@

$(VENV)/.all: $(VENV)/.created pyproject.toml
	$(PIP_INSTALL) -e ".[notebooks,test,browser,dev,onnx,torch]"
	@touch $@

clean:
	rm -rf $(VENV)
