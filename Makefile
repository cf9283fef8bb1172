# make demo: score the shipped model on the embedded data.  make test: run the tests.
# make lint: form, rules, types, dead code, imports that no list declares.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: demo test lint pictures clean

demo: $(VENV)/.installed
	$(RUN) local_test.py --data data/demo

test: $(VENV)/.installed-dev
	$(RUN) -m pytest --numprocesses=auto --dist=loadgroup

lint: $(VENV)/.installed-dev
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m vulture
	$(RUN) -m deptry .

pictures: $(VENV)/.installed
	$(RUN) -m tools.pictures

$(VENV)/.installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis prediction report
