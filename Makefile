# Everything runs in .venv, which is made when it is missing or older than the project file.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
PRESET ?= presets/first-light.yaml
# How many tests run at a time: as many as there are processors, at most four.
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
# How much `make fuzz` tries.
PRESETS ?= 10000
MEDIA ?= 1000
RUNS ?= 300
MINUTES ?= 60

.PHONY: help setup demo browser test torture fuzz check fix bench gallery studio-bundles clean

help:
	@echo 'make setup   make .venv with everything in it'
	@echo 'make demo    render $(PRESET)'
	@echo 'make browser install a Chromium for the tests of pages (Debian, as root)'
	@echo 'make test    run the tests'
	@echo 'make torture kill renders and branches at random and compare their films'
	@echo 'make fuzz    try what strangers may bring: PRESETS=$(PRESETS) MEDIA=$(MEDIA) RUNS=$(RUNS) MINUTES=$(MINUTES)'
	@echo 'make check   lint, types, layers'
	@echo 'make fix     format and apply the lint fixes'
	@echo 'make bench   measure; results go to benchmarks/results/'
	@echo 'make gallery render every preset small, for the pictures in docs/gallery'
	@echo 'make studio-bundles  bundle CodeMirror and uPlot for the studio anew (needs npm)'
	@echo 'make clean   remove .venv and everything that was made; renders stay'

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo 'dreamreel needs Python 3.11 or newer; install it, or call make PYTHON=/its/path'; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
		echo 'OpenCV needs libraries of a desktop (libGL) that are not here; taking its headless build'; \
		$(BIN)/python -m pip uninstall --quiet --yes opencv-python && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
			--force-reinstall --no-deps opencv-python-headless; }
	@touch $@

demo: setup
	$(BIN)/dreamreel render $(PRESET) --overwrite

# The tests of pages drive a Chromium; without one they are left out.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; }

test: setup
	$(BIN)/python -m pytest -n $(JOBS)

torture: setup
	$(BIN)/python -m tests.torture --kills 25
	$(BIN)/python -m tests.torture --kills 10 --lead-in 60
	$(BIN)/python -m tests.torture --kills 15 --scenes
	$(BIN)/python -m tests.torture_branches --rounds 60
	$(BIN)/python -m tests.torture_studio --rounds 60
	$(BIN)/python -m tests.chaos --kills 50

fuzz: setup
	$(BIN)/python -m tests.fuzz --presets $(PRESETS) --media $(MEDIA) --runs $(RUNS) --minutes $(MINUTES)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m benchmarks

gallery: setup
	$(BIN)/python -m docs.make_gallery

# Every version is pinned in package.json; what comes of it is in the repository, so that nobody else needs npm.
studio-bundles:
	cd tools/studio-bundles && npm install --no-package-lock --no-audit --no-fund && npm run --silent build

clean:
	rm -rf .venv build dist benchmarks/results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
