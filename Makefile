# Everything here starts from nothing but a Python of 3.11 or newer with venv, git and make.
# .venv holds the project as it stands, for the demo and for developing; .venv-test holds the wheel built from it, so
# that the tests meet what a user installs.
.DEFAULT_GOAL := help
SHELL := /bin/sh
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
export PYTHON

# What pytest is to run, and how: make test ARGS="tests/unit -n 0"
ARGS ?=
# Twice as many as there are processors: tests of leases, locks and lost servers mostly wait.
WORKERS := $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
CRASH = tests/crash/test_matrix.py tests/crash/test_matrix_related.py tests/crash/test_matrix_catches.py \
	tests/crash/test_rejects_retry_killed.py tests/crash/test_power_loss.py \
	tests/crash/test_power_loss_postgres.py tests/crash/test_schema_upgrade.py
PIP = .venv-test/bin/python -m pip --quiet --disable-pip-version-check

.PHONY: help demo test crash check bench develop clean

help: ## Say what can be made
	@echo "Milepost: jobs that survive"
	@awk -F ' ## ' '/^[a-z]+:.* ## / { sub(/:.*/, "", $$1); printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: venv-runtime ## Watch a migration be killed, resume and lose nothing
	@.venv/bin/milepost demo

test: venv-test ## Run every test against the built wheel (ARGS="..." goes to pytest)
	@rm -rf .venv-test/wheel
	@$(PIP) wheel --no-build-isolation --no-deps -w .venv-test/wheel .
	@$(PIP) install --no-deps --force-reinstall .venv-test/wheel/*.whl
	@.venv-test/bin/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

crash: venv-develop ## Kill jobs at every point and 200 times at random, cut the power; print totals (some minutes)
	@MILEPOST_CRASH_ALL=1 .venv/bin/python -m pytest -n logical --dist worksteal -o faulthandler_timeout=3600 $(CRASH) $(ARGS)

check: venv-develop ## Lint, format, types, imports, tidiness
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/mypy tests/typing
	.venv/bin/lint-imports
	.venv/bin/python -m pytest -q tests/unit/test_tidy.py

bench: venv-bench ## Measure rows and steps a second, kills, memory, beside the peers
	@.venv-bench/bin/python -m bench $(ARGS)

develop: venv-develop ## Make .venv with all tools, to use as .venv/bin/pytest, .venv/bin/milepost

clean: ## Remove all that was made here
	rm -rf .venv .venv-test .venv-bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .cache build dist
	rm -rf milepost-demo
	find src tests examples bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

.PHONY: venv-runtime venv-develop venv-test venv-bench

venv-runtime:
	@tools/make-venv .venv -e .

venv-develop:
	@tools/make-venv .venv -e '.[postgres]' --group test --group check

venv-test:
	@tools/make-venv .venv-test '.[postgres]' --group test

venv-bench:
	@tools/make-venv .venv-bench -e '.[postgres]' --group test --group bench
