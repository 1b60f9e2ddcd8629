# make demo   set up, simulate a session, analyse it        make demo SESSION=path   analyse a folder of yours
# make test   set up, then the tests                        make test-long           their full sizes
# make gates  re-measure every quality figure               make bench               measure speed
# make check  ruff, mypy, import-linter, pip check          make weights             rebuild the shipped weights

VENV := .venv
ifeq ($(OS),Windows_NT)
  BIN := $(VENV)/Scripts
else
  BIN := $(VENV)/bin
endif
PYTHON := $(BIN)/python
STAMP := $(VENV)/installed
OUT ?= demo
JOBS ?= 2

.PHONY: demo test test-long gates bench check weights schemas setup clean
.DEFAULT_GOAL := demo

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@for candidate in "$$TELLTALE_PYTHON" python3.11 python3.12 python3 python; do \
	  [ -n "$$candidate" ] || continue; \
	  if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Telltale needs Python 3.11 or 3.12, and none is on the PATH."; \
	  echo "Install one (on Debian and Ubuntu: apt-get install python3 python3-venv), or name it: make TELLTALE_PYTHON=/path/to/python3.11"; \
	  exit 1; \
	fi; \
	if [ ! -x "$(PYTHON)" ]; then \
	  echo "Making $(VENV) with $$("$$found" --version)"; \
	  "$$found" -m venv $(VENV) || { echo "Python's venv module failed (on Debian and Ubuntu: apt-get install python3-venv)."; exit 1; }; \
	fi
	@echo "Installing (the first time takes some minutes and a few hundred MB, several GB with a CUDA build of torch) ..."
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@$(PYTHON) -c 'import cv2' 2>/dev/null || { \
	  echo "OpenCV cannot be loaded:"; $(PYTHON) -c 'import cv2' 2>&1 | tail -n 1; \
	  echo "System libraries are missing (on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0)."; exit 1; }
	@touch $(STAMP)

demo: $(STAMP)
ifdef SESSION
	@[ -f "$(SESSION)/session.toml" ] || $(BIN)/telltale init "$(SESSION)"
	@$(BIN)/telltale analyze "$(SESSION)" -o "$(OUT)"
else
	@$(BIN)/telltale demo -o "$(OUT)"
endif

test: $(STAMP)
	@$(PYTHON) -m pytest -n $(JOBS) --dist loadfile -q -m "not long"

test-long: $(STAMP)
	@$(PYTHON) -m pytest -n $(JOBS) --dist loadfile -q
	@$(PYTHON) -m benchmarks.gates --full

gates: $(STAMP)
	@$(PYTHON) -m benchmarks.gates

bench: $(STAMP)
	@$(PYTHON) -m benchmarks.speed --full
	@$(PYTHON) -m benchmarks.face_path

check: $(STAMP)
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(BIN)/lint-imports
	@$(PYTHON) -m pip check

schemas: $(STAMP)
	@$(PYTHON) -m data_schemas.json_schemas

weights: $(STAMP)
	@$(PYTHON) -m pipeline.simulate.unit_model
	@$(PYTHON) -m pipeline.simulate.spotter_model
	@$(PYTHON) -m pipeline.simulate.spotter_models
	@$(PYTHON) -m pipeline.simulate.recogniser_model
	@$(PYTHON) -m pipeline.simulate.measurement_estimate
	@$(PYTHON) -m pipeline.simulate.default_model -o fusion/weights

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
