# Everything that one does with a checkout. `make` alone lists it.
#
# PYTHON=python3.12 chooses the interpreter of .venv; without it, an existing .venv is kept, a new one gets python3.
# PYTEST_ARGS= is handed to pytest.

MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash

VENV := .venv
BIN := $(VENV)/bin
ifeq ($(origin PYTHON),undefined)
PYTHON := $(if $(wildcard $(VENV)/made-*),$(BIN)/python,python3)
endif
export PYTHON

# The stamps: the virtual environment of this very interpreter is there; the package as it is now is installed in it.
MADE = $(VENV)/made-$(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)
BUILT := $(VENV)/built
SOURCES := setup.py pyproject.toml MANIFEST.in $(wildcard src/*.[ch] src/*/*.[ch] src/catprobe/*.py \
	src/catprobe/*/*.py src/command/verbs/*.* src/viewer/pages/*.* probes/* catdemo/*.py d_demo/*.d d_demo/*.bt toolkit/*.d)

C_SOURCES := $(wildcard src/*.c src/*/*.c)
C_FILES := $(C_SOURCES) $(wildcard src/*.h src/*/*.h probes/*.h tests/*.c tests/unit/*.c tests/fuzz/*.c bench/*.c)
SCRIPTS := $(wildcard .ci/run tests/forky tests/packages tests/test-all tests/fuzz/run d_demo/run-demo)
INCLUDES := src build/generated probes

.PHONY: help setup build catprobe demo readers test test-all fuzz bench bench-check bench-check-forky bench-sampling lint format forky pictures \
	bench-forky docs clean lint-format lint-python lint-shell lint-compilers lint-clang-tidy lint-cppcheck fuzz-packages
.DELETE_ON_ERROR:

help: ## list what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 16

setup: ## install the packages of the system that are missing, or say which
	@tests/packages build test lint

build: $(BUILT) ## install the package in .venv, if anything has changed

$(MADE): tests/requirements.txt
	@tests/packages build
	@test -e $@ || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -r tests/requirements.txt
	@touch $@

# What setuptools left in build/ from earlier sources would be installed again.
$(BUILT): $(MADE) $(SOURCES)
	rm -rf build/lib* build/bdist*
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --force-reinstall .
	@touch $@

# The command: all of it that knows no CPython.
COMMAND := $(wildcard $(addsuffix /*.c,$(addprefix src/,program dlang engine consumer viewer command))) src/agent/control.c \
	src/agent/notes.c
EMBEDDED := $(addprefix build/generated/,probes.c verbs.c pages.c)

catprobe: build/catprobe ## build the command as one static binary without Python: build/catprobe

build/catprobe: $(COMMAND) $(wildcard src/*/*.h) src/catprobe/_version.py $(EMBEDDED)
	$(CC) -std=c11 -D_GNU_SOURCE -O2 -static -s -DCATPROBE_STATIC \
		-DCATPROBE_VERSION='"$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' src/catprobe/_version.py)"' \
		$(addprefix -I,$(INCLUDES)) -o $@ $(COMMAND) $(EMBEDDED) -pthread -lm

build/generated/verbs.c: $(wildcard src/command/verbs/*)
	$(PYTHON) src/command/verbs/embed.py build/generated

build/generated/pages.c: $(wildcard src/viewer/pages/*.*)
	$(PYTHON) src/viewer/pages/embed_pages.py build/generated

demo: build ## show the calls of the running cat server for some seconds
	@d_demo/run-demo $(BIN)/python

# What reads our formats in the tests: without them, these tests are skipped and say so.
readers: $(MADE) ## install the browser and the programs that read profiles back in the tests
	@tests/packages readers
	$(BIN)/python -m pip install -q --disable-pip-version-check -r tests/requirements-readers.txt
	npm install --silent --no-audit --no-fund --prefix build/readers speedscope@1.25.0 pprof-format@2.3.2

test: build ## run the tests
	@tests/packages test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: ## build and test with every CPython: ~/.pyenv/versions and the container
	@tests/packages test
	@tests/test-all $(PYTEST_ARGS)

# The rooms that need no interpreter, under the sanitizers and libFuzzer.
PLAIN := $(wildcard $(addsuffix /*.c,src/program src/dlang src/engine src/consumer))
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_SECONDS := 60

fuzz: $(FUZZERS) ## feed arbitrary input to each fuzz target for FUZZ_SECONDS=60, with what earlier runs have found
	@tests/fuzz/run $(FUZZ_SECONDS) $(FUZZERS)

fuzz-packages:
	@tests/packages fuzz

FUZZ_CC = clang -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	$(addprefix -I,$(INCLUDES))
FUZZED := $(patsubst %.c,build/fuzz/%.o,$(PLAIN) src/agent/control.c)

$(filter-out build/fuzz/stacks_fuzz,$(FUZZERS)): build/fuzz/%: tests/fuzz/%.c $(FUZZED) | fuzz-packages
	@$(FUZZ_CC) -fsanitize=fuzzer -o $@ $^ -lm

# Copies of an interpreter's memory, of this version, but no interpreter.
build/fuzz/stacks_fuzz: tests/fuzz/stacks_fuzz.c src/sampler/stacks.c $(addprefix src/sampler/,codes.c calls.c natives.c) \
		src/engine/memory.c $(wildcard src/*/*.h) | fuzz-packages
	@mkdir -p $(@D)
	@$(FUZZ_CC) -fsanitize=fuzzer -isystem $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))') \
		-o $@ $(filter-out src/sampler/stacks.c,$(filter %.c,$^))

$(FUZZED): build/fuzz/%.o: %.c $(wildcard src/*/*.h) build/generated/probes.c | fuzz-packages
	@mkdir -p $(@D)
	@$(FUZZ_CC) -fsanitize=fuzzer-no-link -c -o $@ $<

bench: build build/catprobe build/engine_bench $(VENV)/peers ## measure what tracing costs, with this machine's tracers and profilers: BENCH_ARGS="--scaling --save"
	$(BIN)/python bench/bench.py $(BENCH_ARGS)

# One by one, as not each is there for each interpreter and machine; the bench names those that are missing.
$(VENV)/peers: $(MADE) tests/requirements-bench.txt
	@sed '/^#/d' tests/requirements-bench.txt | while IFS= read -r peer; do \
		$(BIN)/python -m pip install -q --disable-pip-version-check "$$peer" || echo "bench: without $$peer"; done
	@touch $@

bench-check: build build/engine_bench ## count what tracing costs in instructions, and compare with what was recorded
	@tests/packages bench
	$(BIN)/python bench/check.py $(BENCH_ARGS)

FORKY_PYTHON = tests/forky run env -C /host$(CURDIR) build/venv-3.14/bin/python

bench-check-forky: build/catprobe build/engine_bench ## the same for CPython 3.14, in the container (root)
	tests/forky install 3.14
	$(FORKY_PYTHON) bench/check.py $(BENCH_ARGS)

bench-forky: build/catprobe build/engine_bench ## the bench with CPython 3.14, in the container (root): BENCH_ARGS="--workload fib"
	tests/forky install 3.14
	$(FORKY_PYTHON) bench/bench.py $(BENCH_ARGS)

bench-sampling: build build/wakeup ## measure what a sample costs beyond the timer's wake-up, and whether the sampler keeps up
	$(BIN)/python bench/sampling.py $(BENCH_ARGS)

build/wakeup: bench/wakeup.c
	$(CC) -std=c11 -D_GNU_SOURCE -O2 -o $@ $<

build/engine_bench: bench/engine_bench.c $(PLAIN) $(wildcard src/*/*.h) build/generated/probes.c
	$(CC) -std=c11 -D_GNU_SOURCE -O3 -fPIC -fwrapv -fvisibility=hidden $(addprefix -I,$(INCLUDES)) -o $@ $< $(PLAIN) -lm -pthread

lint: ## check the format and the sense of C, Python and shell
	@tests/packages lint
	@$(MAKE) --keep-going lint-format lint-python lint-shell lint-compilers lint-clang-tidy lint-cppcheck

lint-format:
	clang-format --dry-run -Werror $(C_FILES)

lint-python: $(MADE)
	$(BIN)/python -m pip install -q --disable-pip-version-check -r tests/requirements-lint.txt
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

lint-shell:
	shellcheck $(SCRIPTS)

C_FLAGS = -std=c11 -D_GNU_SOURCE -Wall -Wextra -fvisibility=hidden -DCATPROBE_VERSION='"lint"' $(addprefix -I,$(INCLUDES)) \
	-isystem $(shell $(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))')

lint-compilers: $(MADE) build/generated/sites.c
	@for compiler in gcc clang; do for file in $(C_SOURCES) build/generated/sites.c build/generated/probes.c; do \
		$$compiler $(C_FLAGS) -Werror -O2 -fPIC -c -o /dev/null $$file || failed=1; done; done; exit $${failed:-0}

lint-clang-tidy: $(MADE) build/generated/sites.c
	@printf '%s\n' $(C_SOURCES) | xargs -I{} -P "$$(nproc)" clang-tidy --quiet --warnings-as-errors='*' {} -- $(C_FLAGS) 2>/dev/null

lint-cppcheck: build/generated/sites.c
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability \
		--suppress=missingIncludeSystem -D__linux__ -D__LP64__ -D__x86_64__ -DCATPROBE_VERSION='"lint"' \
		$(addprefix -I,$(INCLUDES)) $(C_SOURCES) build/generated

build/generated/sites.c build/generated/probes.c &: probes/generate.py probes/python.d
	$(PYTHON) probes/generate.py build/generated
	@touch $@

format: $(MADE) ## format C and Python
	$(BIN)/python -m pip install -q --disable-pip-version-check -r tests/requirements-lint.txt
	clang-format -i $(C_FILES)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

forky: ## set up the container with the newest tracers and CPythons, once for a machine (root)
	tests/forky setup

pictures: build ## make the pictures of docs/images, from real runs
	@tests/packages pictures
	$(BIN)/python -m pip install -q --disable-pip-version-check -r docs/requirements.txt
	$(BIN)/python docs/pictures.py

docs: ## make the pages of docs/ that are made from something
	$(PYTHON) probes/generate.py --docs >docs/probes.md

clean: ## remove everything that was built
	rm -rf build dist .venv .pytest_cache .ruff_cache src/catprobe.egg-info
