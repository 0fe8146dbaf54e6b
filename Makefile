# Every target of a developer. `./run` and `./test` make the environment these use; `make test` does too.
PY := .venv/bin/python
export PYTHONPATH := src
SIZE := 100000
LOCKED := --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help run test faults check format schema openapi errors settings generated bench journey lock release clean

help: ## list every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## bring the whole city up and keep it up
	./run

test: ## run the tests; T=path runs some of them
	./test $(T)

faults: ## run the tests that break things, then prove with SIZE messages (100000) that nothing owed is lost
	./test tests/faults
	./run prove-delivery --messages $(SIZE)

check: ## format, lint, types and imports, without changing anything
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo

format: ## put the code into its format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

schema: ## write src/gateway/schema.sql, the sum of the migrations
	$(PY) -m city schema

openapi: ## write openapi/*.json from the handlers
	$(PY) -m city openapi

errors: ## write docs/ERRORS.md from the refusals
	$(PY) -m city errors

settings: ## write docs/SETTINGS.md from the settings
	$(PY) -m city settings

generated: schema openapi errors settings ## write every generated file

bench: ## measure the headline figures: hello, show, verify, send
	for name in hello show verify send; do ./run bench $$name || exit 1; done

journey: ## play a certificate's way through a city, over HTTP
	./run journey

lock: ## pin dependencies, with hashes and without addresses; UPGRADE=--upgrade takes newer versions
	python3 -m venv .venv-lock
	.venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet $(UPGRADE) pyproject.toml $(LOCKED) -o requirements.lock
	.venv-lock/bin/uv pip compile --quiet $(UPGRADE) pyproject.toml --group test -c requirements.lock $(LOCKED) -o requirements-test.lock
	rm -rf .venv-lock

release: ## freeze the API descriptions and the migrations of VERSION=x.y.z
	test -n "$(VERSION)"
	mkdir -p openapi/released/$(VERSION)
	cp openapi/*.json openapi/released/$(VERSION)/
	printf '# release %s\n' "$(VERSION)" >> src/gateway/migrations/checksums
	cd src/gateway/migrations && for file in *.sql; do grep -q "  $$file$$" checksums \
	  || (sha256sum "$$file" 2>/dev/null || shasum -a 256 "$$file") >> checksums; done

clean: ## remove what tools leave behind; environments and data stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
