# make run    the kiosk; without a configuration, its demonstration
# make test   all checks: ruff, mypy, the layers, the tests
# make qt68-test    the window's tests against PySide6 6.8, which Debian 13 and older boards have; installs it, 75 MB
# make prove [ROUNDS=1000]   what takes longer than a test should: random commands beside a running kiosk, kills
# make torture [KILLS=1000]   kills kiosk and kiosk-door at random, and judges what the lock saw; then a hostile day:
#                random commands beside all three processes, with kills, and what is left of the database
# make vm-test    kiosk-door and its unit in a Debian arm64 guest with a real gpiochip; needs QEMU, 70 MB of downloads
# make recipes-test    the training recipes in small; installs PyTorch, which nothing else needs
# All make what they need in .venv first. PYTHON chooses the interpreter (3.11 to 3.13).

PYTHON ?= python3
VENV := .venv
QT68 := .venv-qt68
BIN := $(VENV)/bin
RUN_ARGS ?=
JOBS ?= 2
KILLS ?= 1000
ROUNDS ?= 1000

.PHONY: install run test check prove qt68-test torture vm-test recipes-test clean

install: $(VENV)/.installed

run: $(VENV)/.installed
	$(BIN)/kiosk run $(RUN_ARGS)

# The recipes' tests load networks in a way that a process with the kiosk's own cannot: they run by themselves.
test: $(VENV)/.tests-installed check
	$(BIN)/pytest -m 'not train and not prove' -n $(JOBS) --dist loadfile

prove: $(VENV)/.tests-installed
	PROVE_ROUNDS=$(ROUNDS) $(BIN)/pytest -m prove --timeout 3600

# The oldest PySide6 that is allowed, in a virtual environment of its own that borrows all else from the other: by
# addsitedir, which follows the other's .pth files too, so that a child started with -P finds the kiosk itself.
qt68-test: $(QT68)/.installed
	$(QT68)/bin/python -m pytest tests/gui

recipes-test: $(VENV)/.train-installed
	$(BIN)/pytest -m train tests/train

check: $(VENV)/.tests-installed
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

torture: $(VENV)/.tests-installed
	$(BIN)/python tests/torture/torture.py --kills $(KILLS) --on-owner-death revert
	$(BIN)/python tests/torture/torture.py --kills $(KILLS) --on-owner-death keep
	$(BIN)/python tests/torture/hostile_day.py --rounds $(ROUNDS) --enrolments 60

vm-test: $(VENV)/.tests-installed
	$(BIN)/python tests/vm/vm.py

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "make: Python 3.11 to 3.13 is needed, this is %d.%d: set PYTHON=python3.12, say" % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "make: python cannot make a virtual environment: sudo apt-get install python3-venv" >&2; exit 2; }
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --editable .
	touch $@

$(VENV)/.tests-installed: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --editable '.[test,plots]'
	touch $@

$(QT68)/.installed: pyproject.toml $(VENV)/.tests-installed
	test -x $(QT68)/bin/python || $(BIN)/python -m venv $(QT68)
	$(QT68)/bin/python -m pip install --disable-pip-version-check --progress-bar on 'PySide6-Essentials==6.8.0.2'
	$(QT68)/bin/python -c 'import pathlib, sysconfig; place = pathlib.Path(sysconfig.get_path("purelib")); (place / "zz-kiosk.pth").write_text("import site; site.addsitedir(%r)\n" % str(pathlib.Path("$(VENV)").resolve() / place.relative_to(pathlib.Path("$(QT68)").resolve())))'
	touch $@

$(VENV)/.train-installed: $(VENV)/.tests-installed
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --editable '.[test,plots,train]'
	touch $@

clean:
	rm -rf $(VENV) $(QT68) build dist
