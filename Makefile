# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
MEMBERS := shared services/registration services/coverage services/notifier deploy/dealreg deploy/devstack
STAMP  := $(VENV)/.installed

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 18

setup: $(STAMP) ## create .venv with exactly what requirements.lock names

$(STAMP): requirements.lock pyproject.toml $(MEMBERS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Dealreg needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-uv.lock
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	@touch $(STAMP)

lock: ## resolve anew; writes requirements.lock without any download address
	$(BIN)/uv lock --quiet --system-certs
	$(BIN)/uv export --quiet --all-packages --all-groups --all-extras --no-emit-workspace --no-header --no-annotate --output-file requirements.lock >/dev/null
	@sed -n '/^uv==/,/^[a-z]/{/^uv==/p;/^  /p}' requirements.lock > requirements-uv.lock

demo: setup ## run the main job: 2,000 registrations on a simulated clock (ARGS=--exit to end after the summary)
	@$(BIN)/dealreg demo $(ARGS)

# Four workers, also on two cores: many tests wait for a process or for Kafka.
test: setup ## run every test; starts its own PostgreSQL and Kafka
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

alike: setup ## compare 10,000 answers each about what is another's and what does not exist (minutes)
	DEALREG_TEST_PAIRS=10000 $(BIN)/pytest tests/component/privacy/test_answers_take_alike.py $(ARGS)

proof: setup ## try every promise once in a small size, and print what was found (3 minutes; ARGS="--row 3 --on embedded")
	@$(BIN)/python -m tests.faults $(ARGS)

proof-full: setup ## the same in full (up to 2 hours)
	@$(BIN)/python -m tests.faults --full $(ARGS)

.PHONY: proof proof-full

check: setup ## format, lint, types, import rules, generated docs up to date
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(MEMBERS:%=%/src) tests docs benchmarks examples
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

format: setup ## format the code, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## write the generated docs anew
	$(BIN)/python -m docs.generate

pictures: setup ## make the pictures in docs/pictures anew (needs Chromium)
	$(BIN)/python docs/pictures.py

.PHONY: help setup lock demo test alike check format docs pictures

services: setup ## start a PostgreSQL and a Kafka for development; prints the environment to export
	@$(BIN)/dealreg-devstack up

services-down: setup ## stop them; their data stays in .devstack
	@$(BIN)/dealreg-devstack down

.PHONY: services services-down

bench: setup ## registrations a second and territory match, beside their ceilings (ARGS="registrations --rounds 1")
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench
