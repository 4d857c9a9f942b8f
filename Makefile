# The commands of this project. `make run` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check format bench demo screenshots lock clean

run: $(VENV)/run.stamp
	@exec $(BIN)/tagtrail serve $(ARGS)

test: $(VENV)/dev.stamp
	@sh tests/install-system-packages.sh docker-registry skopeo wrk golang-go golang-golang-x-mod-dev \
		chromium fonts-dejavu-core systemd
	$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp
	@sh tests/install-system-packages.sh wrk gcc sqlite3
	$(BIN)/python -m bench $(ARGS)

demo: $(VENV)/dev.stamp
	@sh tests/install-system-packages.sh docker-registry skopeo
	@$(BIN)/python deploy/demo.py $(ARGS)

screenshots: $(VENV)/dev.stamp
	@sh tests/install-system-packages.sh docker-registry skopeo chromium fonts-dejavu-core
	@$(BIN)/python deploy/screenshots.py $(ARGS)

lock: $(VENV)/dev.stamp
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command 'make lock' pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command 'make lock' pyproject.toml --group build --group dev -o requirements-dev.lock

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
