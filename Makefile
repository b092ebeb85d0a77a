# The one menu of developer commands. `make demo` and `make test` work on a fresh clone with
# nothing installed but Python 3.11, make and a network that reaches PyPI.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint format types pictures pages benchmark clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,test]'
	$(BIN)/python -m compileall -q gptdoctor  # as pip leaves a package: each command loads it faster
	touch $(STAMP)

# The main job on the reference models; it exits with 1 because they are sick, and says so.
demo: $(STAMP)
	@$(BIN)/gptdoctor check reference_models; code=$$?; echo "exit code $$code"; test $$code -eq 1

test: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

lint: $(STAMP)
	$(BIN)/ruff check .

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(STAMP)
	$(BIN)/mypy

pictures: $(STAMP)
	$(BIN)/python docs/pictures/draw.py

# The rules as Markdown, in docs/rules.
pages: $(STAMP)
	$(BIN)/python docs/rules/write.py

benchmark: $(STAMP)
	$(BIN)/python benchmarks/cost.py
	$(BIN)/python -m benchmarks.worker

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
