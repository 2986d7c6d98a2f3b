PYTHON ?= python

.PHONY: check format lint types contracts test slow docs bench

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
