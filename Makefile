# make demo | demo-live | test | check | bench | bench-live | bench-store | clean. Each does its own set-up: virtual environment, packages, weights.
# VENV=folder takes another virtual environment, PYTHON=program another Python (3.11 or newer).

TARGETS := setup demo demo-live test check bench bench-live bench-store clean
.PHONY: $(TARGETS)
.DEFAULT_GOAL := demo
MAKEFLAGS += --no-print-directory

# `make -f "some where/Makefile"` works too: everything happens in the Makefile's own folder.
HERE := $(shell cd "$$(dirname "$(strip $(MAKEFILE_LIST))")" && pwd -P)
ifneq ($(HERE),$(shell pwd -P))

$(TARGETS):
	@$(MAKE) -C "$(HERE)" $@

else

VENV ?= .venv
CLIPS := tests/data/clips/vn_toll_gate_720p.mp4 tests/data/clips/gb_one_car_720p.mp4

# Make writes a space in a file name as "\ ".
empty :=
space := $(empty) $(empty)
venv := $(subst $(space),\ ,$(VENV))

# The name of a stamp says what its rule did; it is done again when what it read has changed.
setup: $(venv)/.installed weights/.fetched

$(venv)/.made:
	@python="$(PYTHON)"; \
	for name in python3.11 python3.12 python3.13 python3 python; do \
		test -n "$$python" || ! "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || python=$$name; \
	done; \
	if ! "$${python:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		echo "Python 3.11 or newer is needed, but $${python:-python3} is $$("$${python:-python3}" --version 2>&1 | head -n 1)." \
			"Install it (Debian: apt-get install python3 python3-venv), or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	"$$python" -m venv "$(VENV)" || { \
		echo "No virtual environment could be made at $(VENV); on Debian, apt-get install python3-venv may be what is missing." >&2; exit 1; }
	@touch "$@"

$(venv)/.installed: $(venv)/.made pyproject.toml constraints.txt
	"$(VENV)/bin/python" -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev,tesseract,train,mqtt,webhook,redis,kafka,postgresql,s3,parquet,sealed,timestamps]'
	@touch "$@"

weights/.fetched: $(venv)/.installed weights/manifest.json
	"$(VENV)/bin/plate-streamer" weights fetch
	@touch "$@"

# What others published: the plain way of the benchmark uses it, and training starts from it.
weights/.starters: $(venv)/.installed weights/manifest.json
	"$(VENV)/bin/plate-streamer" weights fetch --starters
	@touch "$@"

demo: setup
	rm -rf out/demo
	"$(VENV)/bin/plate-streamer" replay $(CLIPS) --out out/demo --annotate

# Four cameras, one of which stalls and one of which goes away in between; see README, "Live cameras".
demo-live: setup
	rm -rf out/demo-live
	"$(VENV)/bin/python" -m streamer.demo_live $(CLIPS) --config configs/demo-live.yaml

# Tests of live cameras take times, but mostly wait: they run beside the others, which `nice` keeps out of their way. Those wait for disks and
# servers now and then, so there is one worker more than cores.
test: setup weights/.starters
	@live=$$(mktemp); \
	"$(VENV)/bin/python" -m pytest tests/e2e/test_live_*.py > "$$live" 2>&1 & \
	waiting=$$!; \
	nice -n 15 "$(VENV)/bin/python" -m pytest -n "$$(($$(getconf _NPROCESSORS_ONLN) + 1))" --dist loadfile --no-loadscope-reorder --ignore-glob='*/e2e/test_live_*'; \
	most=$$?; wait $$waiting; live_ones=$$?; \
	cat "$$live"; rm -f "$$live"; \
	if [ $$most -eq 0 ] && [ $$live_ones -eq 0 ]; then echo "All tests passed."; else echo "Tests failed: see above." >&2; exit 1; fi

check: $(venv)/.installed
	"$(VENV)/bin/ruff" format --check .
	"$(VENV)/bin/ruff" check .
	"$(VENV)/bin/mypy"

bench: setup weights/.starters
	"$(VENV)/bin/python" -m train.bench

bench-live: setup
	"$(VENV)/bin/python" -m train.bench_live

# Half an hour and 30 GB of disk the first time; the store stays in out/bench-store.
bench-store: $(venv)/.installed
	"$(VENV)/bin/python" -m train.bench_store

# The virtual environment and the weights stay: they are slow to get.
clean:
	rm -rf out build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

endif
