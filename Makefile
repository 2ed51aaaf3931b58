# Everything makes what it needs in .venv first. PYTHON chooses the interpreter (3.11 to 3.13).

PYTHON ?= python3
VENV := .venv
QT68 := .venv-qt68
BIN := $(VENV)/bin
TOOLS := build/.tools
ARCH ?= $(shell dpkg --print-architecture 2>/dev/null || echo amd64)
RELEASE ?= trixie
KEY ?=
ARGS ?=
RUN_ARGS ?=
# One more than the cores of a small machine: a quarter of the time the tests wait, for doors, kiosks and deadlines.
JOBS ?= 3
KILLS ?= 1000
ROUNDS ?= 1000
UNIT := tests/domain tests/ipc tests/gui/test_presenter.py tests/gui/test_words.py tests/gui/test_layout.py \
	tests/test_documents.py

.DEFAULT_GOAL := help
.PHONY: help install run fmt lint check unit test prove qt68-test recipes-test torture vm-test picamera2 screenshots lock deb release \
	package-test clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## .venv, with the kiosk in it

run: $(VENV)/.installed  ## the kiosk; without a configuration, its demonstration (RUN_ARGS=--headless)
	$(BIN)/kiosk run $(RUN_ARGS)

fmt: $(VENV)/.tests-installed  ## formats, and mends what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.tests-installed  ## ruff, its format, mypy over kiosk (strict), tests and recipes, the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini --cache-dir .mypy_cache/tests tests models/train deploy/debian
	$(BIN)/lint-imports

check: lint  ## the same as lint

# Tests start hundreds of processes, each of which would compile the program anew if Python might not keep that.
unit test prove: export PYTHONDONTWRITEBYTECODE :=

unit: $(VENV)/.tests-installed  ## the core without hardware, networks or processes: under a minute
	$(BIN)/pytest -q -n $(JOBS) $(UNIT) $(ARGS)

# The recipes' tests load networks in a way that a process with the kiosk's own cannot: they run by themselves.
test: $(VENV)/.tests-installed $(if $(ARGS),,check)  ## lint and all tests; with ARGS="tests/door -k rex" those alone
	$(BIN)/pytest -m 'not train and not prove' -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations=40 $(ARGS)

prove: $(VENV)/.tests-installed  ## what takes longer than a test should, and each property ROUNDS times (1000)
	PROVE_ROUNDS=$(ROUNDS) $(BIN)/pytest -m prove --timeout 3600
	PROVE_ROUNDS=$(ROUNDS) $(BIN)/pytest -m 'hypothesis and not prove and not train' --hypothesis-profile thorough --timeout 3600

# The oldest PySide6 that is allowed, in a virtual environment of its own that borrows all else from the other: by
# addsitedir, which follows the other's .pth files too, so that a child started with -P finds the kiosk itself.
qt68-test: $(QT68)/.installed  ## the window against PySide6 6.8, which boards have; installs it, 75 MB
	$(QT68)/bin/python -m pytest tests/gui

recipes-test: $(VENV)/.train-installed  ## the training recipes in small; installs PyTorch, which nothing else needs
	$(BIN)/pytest -m train tests/train

torture: $(VENV)/.tests-installed  ## kills kiosk and kiosk-door at random and judges what the lock saw (KILLS=1000)
	$(BIN)/python tests/torture/torture.py --kills $(KILLS) --on-owner-death revert
	$(BIN)/python tests/torture/torture.py --kills $(KILLS) --on-owner-death keep
	$(BIN)/python tests/torture/hostile_day.py --rounds $(ROUNDS) --enrolments 60

vm-test: $(VENV)/.tests-installed  ## kiosk-door, the units and power cuts in an arm64 guest with a gpiochip; needs QEMU, 95 MB
	$(BIN)/python tests/vm/vm.py

picamera2: $(VENV)/picamera2/.installed  ## picamera2's package, for the tests of its camera; needs gcc and libcap-dev

screenshots: $(VENV)/.installed  ## takes the README's pictures of the window anew
	$(BIN)/python deploy/pictures/take.py

lock: $(TOOLS)/.installed  ## the exact versions of all dependencies, with their hashes, for the package
	cd deploy/debian && for python in 3.12 3.13; do \
	$(CURDIR)/$(TOOLS)/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-config --upgrade \
	--python-version $$python ../../pyproject.toml --output-file lock-$$python.txt || exit; done

# For another architecture too: wheels are unpacked, not run. SOURCE_DATE_EPOCH is by default the time of the commit.
deb: $(VENV)/.installed $(TOOLS)/.installed  ## the Debian package, into dist/ (ARCH=arm64, RELEASE=noble)
	$(BIN)/python deploy/debian/build.py --arch $(ARCH) --release $(RELEASE) --tools $(TOOLS)/bin $(ARGS)

release: $(VENV)/.installed $(TOOLS)/.installed  ## both architectures, sums and signature (KEY=private key of ssh)
	sh deploy/debian/release.sh "$(KEY)"

package-test: $(VENV)/.installed  ## the package in a Debian 13 root of ARCH; needs root and debootstrap, minutes
	sh tests/package/in_root.sh $(ARCH)

$(TOOLS)/.installed: deploy/debian/lock-build.txt
	test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --disable-pip-version-check --require-hashes --requirement $<
	touch $@

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

# Only what `import picamera2` needs: not PyAV and OpenEXR, which are for films and raw pictures, 120 MB.
$(VENV)/picamera2/.installed: $(VENV)/.tests-installed
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --target $(VENV)/picamera2 --upgrade picamera2==0.3.38 pidng==4.0.9 piexif==1.1.3 simplejpeg==1.9.0 videodev2==0.0.4 python-prctl==1.8.1
	touch $@

$(VENV)/.train-installed: $(VENV)/.tests-installed
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --editable '.[test,plots,train]'
	touch $@

clean:  ## removes the virtual environments and what was built
	rm -rf $(VENV) $(QT68) build dist
