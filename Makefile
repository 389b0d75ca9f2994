# Each target sets up what it needs, in virtual environments of its own; .ci/run runs nothing but these targets.
PYTHON ?= python3
WORKERS ?= 2
CORE := .venv/core.stamp
DEV := .venv/dev.stamp
OLDEST := .venv-oldest/dev.stamp
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: compress test slow lint format types layers examples docs wheel serve oldest oldest-part coverage clean

compress: $(CORE)  ## the main job: a forest compressed into a small network
	.venv/bin/python examples/plot_compress_forest.py

# One thread for each of the parallel workers: more would only make them wait for each other.
test slow oldest oldest-part coverage: export OMP_NUM_THREADS := 1
# The workers must agree on the names of tests, and some hold the print of a set.
test slow oldest oldest-part coverage: export PYTHONHASHSEED := 0

test: $(DEV)  ## the fast tests
	.venv/bin/python -m pytest -n $(WORKERS) -m "not slow"

slow: $(DEV)  ## the slow tests; they read the data sets in SKLKD_DATA, by default ../shared/data
	.venv/bin/python -m pytest -n $(WORKERS) -m slow

lint: $(DEV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

format: $(DEV)  ## not in CI: mends what lint complains of, where it can
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

types: $(DEV)
	.venv/bin/mypy

layers: $(DEV)  ## imports go in one direction
	.venv/bin/lint-imports

# Some scripts read data sets; where neither SKLKD_DATA nor the default folder is there, data that scikit-learn bundles.
examples docs: export SKLKD_DATA ?= $(abspath $(wildcard ../shared/data))
# Without windows, which would wait to be closed.
examples: export MPLBACKEND := Agg
examples: $(DEV)  ## each gallery script by itself, as a user runs it
	set -e; for script in examples/plot_*.py; do echo "== $$script"; .venv/bin/python $$script; done

docs: $(DEV)  ## docs/_build/html, with warnings as errors
	.venv/bin/sphinx-build -W --keep-going -q docs docs/_build/html

wheel:  ## a wheel in an empty environment, without the extras and away from the sources, runs the README's example
	rm -rf build dist
	$(PYTHON) -m venv --clear .venv-wheel
	.venv-wheel/bin/pip install -q $$(grep '^torch==' constraints.txt)
	.venv-wheel/bin/pip wheel -q --no-deps --wheel-dir dist .
	.venv-wheel/bin/pip install -q -c constraints.txt dist/*.whl
	awk '/^```python$$/ {on = 1; next} /^```$$/ {if (on) exit} on' README.md > dist/readme_example.py
	cd dist && ../.venv-wheel/bin/python -W error readme_example.py

# What `sklkd-serve` brings beside NumPy, and beside NumPy and ONNX Runtime, in an environment with nothing else.
serve: $(CORE)  ## the predictors alone, in an empty environment: megabytes, seconds, and the estimator's answers
	rm -rf build dist serve/build
	$(PYTHON) -m venv --clear .venv-serve
	.venv-serve/bin/pip wheel -q --no-deps --wheel-dir dist ./serve
	.venv/bin/python serve/check.py write dist/served
	.venv-serve/bin/pip install -q -c constraints.txt dist/*.whl
	.venv-serve/bin/pip check
	cd dist && ../.venv-serve/bin/python -W error ../serve/check.py c served
	.venv-serve/bin/pip install -q -c constraints.txt "$$(echo dist/*.whl)[onnx]"
	.venv-serve/bin/pip check
	cd dist && ../.venv-serve/bin/python -W error ../serve/check.py onnx served

oldest: $(OLDEST)  ## the fast tests on the oldest versions that pyproject.toml admits
	.venv-oldest/bin/python -m pytest -n $(WORKERS) -m "not slow"

# What depends most on the versions: scikit-learn's checks and private names, teachers, files, report.
oldest-part: $(OLDEST)  ## the part of `make oldest` that CI runs
	.venv-oldest/bin/python -m pytest -n $(WORKERS) -m "not slow" tests/test_package.py tests/test_knowledge.py \
	  tests/augment tests/export tests/report tests/teachers tests/estimators/test_common.py tests/estimators/test_input.py \
	  tests/estimators/test_weights.py tests/estimators/test_saving.py tests/estimators/offline/test_metadata.py

# CI runs `test` with the same options, but for the pages. On Python 3.11 coverage traces in C.
coverage: export COVERAGE_CORE := ctrace
coverage: $(DEV)  ## which lines the fast tests run, also as pages in htmlcov
	.venv/bin/python -m pytest -n $(WORKERS) -m "not slow" --cov=sklkd --cov-report=term --cov-report=html

clean:
	rm -rf .venv .venv-oldest .venv-wheel .venv-serve build dist *.egg-info serve/build serve/src/*.egg-info
	rm -rf docs/_build docs/generated docs/auto_examples
	rm -rf .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# torch comes first and by itself: asked for in a range, pip may prefer a newer build that is several GB larger.
$(CORE): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q $$(grep '^torch==' constraints.txt)
	.venv/bin/pip install -q -c constraints.txt -e '.[onnx,plot]'
	touch $@

$(DEV): $(CORE)
	.venv/bin/pip install -q -c constraints.txt -e '.[test,docs,lint]'
	touch $@

$(OLDEST): pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install -q $$(grep '^torch==' constraints-oldest.txt)
	.venv-oldest/bin/pip install -q -c constraints-oldest.txt -e '.[test]'
	touch $@
