# Everything a clone needs: `make demo` and `make test` set themselves up.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: venv demo test check bench clean

venv: $(READY)

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --editable '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/python -m mertools demo

# A file's tests stay together: several share what is costly to make.
test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python benchmarks/store.py --folder demo/benchmark
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/demo.py --out demo/benchmark

clean:
	rm -rf demo .pytest_cache .ruff_cache .hypothesis .import_linter_cache
