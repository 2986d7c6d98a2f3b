PYTHON ?= python

.PHONY: check format lint types contracts test slow docs error-messages bench

check: lint types contracts test

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types:
	$(PYTHON) -m mypy

contracts:
	$(PYTHON) -c "import sys; from importlinter.cli import lint_imports_command as run; sys.argv = ['lint-imports']; run()"

test:
	$(PYTHON) -m pytest

slow:
	$(PYTHON) -m pytest -m slow

# The pages that are generated: docs/claims.md and docs/systems.md.
docs:
	$(PYTHON) -m dlcli reproduce --docs

# The golden file of error messages, after a deliberate change of dlcli/core/errors.py.
error-messages:
	DLCLI_WRITE_GOLDEN=1 $(PYTHON) -m pytest -q -n 0 tests/core/test_error_messages.py

bench:
	$(PYTHON) benchmarks/tcn.py
	$(PYTHON) benchmarks/cells.py
	$(PYTHON) benchmarks/engine.py
	$(PYTHON) benchmarks/startup.py
	$(PYTHON) benchmarks/denormals.py
	$(PYTHON) benchmarks/compare.py
	$(PYTHON) benchmarks/sweep.py
	$(PYTHON) benchmarks/maze.py
	$(PYTHON) benchmarks/decode.py
	$(PYTHON) benchmarks/atari_workers.py
	$(PYTHON) benchmarks/controller.py
	$(PYTHON) benchmarks/shared_cell.py
	$(PYTHON) benchmarks/search_cost.py
	$(PYTHON) benchmarks/batches.py
	$(PYTHON) benchmarks/routing.py
	$(PYTHON) benchmarks/nonlocal_block.py
	$(PYTHON) benchmarks/streams.py
