PYTHON ?= python3
BIN := .venv/bin
# Programs that some tests talk to, and the Debian packages that have them where these are not called the same.
PEERS := socat ip:iproute2 ser2net rpcbind sigrok-cli lxi:lxi-tools mbpoll gcc nc:netcat-openbsd openssl cansend:can-utils qemu-system-x86_64:qemu-system-x86

.PHONY: help demo test lab peers check-generated lint types imports tests bench generate clean

help:
	@echo "make demo      start simulated instruments, talk to them on every flavour, draw a waveform"
	@echo "make test      run every check: generated files, ruff, mypy, pyright, import-linter, tests"
	@echo "make tests     run the tests alone, for example: make tests ARGS='-k serial -x'"
	@echo "make lab       run the tests in the virtual hardware lab alone (a virtual machine with real drivers)"
	@echo "make lint      ruff;      make types      mypy and pyright;      make imports      import-linter"
	@echo "make generate  write the generated modules again"
	@echo "make bench     run the benchmarks and write docs/benchmarks.md"
	@echo "make clean     remove the virtual environments and everything that was built"

# One environment; the stamp says which extra of setup.cfg it holds.
.venv/%.stamp: setup.cfg pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

demo: .venv/all.stamp
	$(BIN)/python -m examples.demo

test: check-generated lint types imports tests

check-generated: .venv/test.stamp
	$(BIN)/python -m sockio.generate --check

lint: .venv/test.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/test.stamp
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

imports: .venv/test.stamp
	$(BIN)/lint-imports --no-logo

# Most tests wait most of the time, so three at a time take two processors less than half as long as one does.
tests: .venv/test.stamp peers
	$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

lab: .venv/test.stamp peers
	$(BIN)/python -m pytest tests/lab $(ARGS)

peers:
	@PATH="$$PATH:/usr/sbin:/sbin"; missing=; \
	for tool in $(PEERS); do command -v $${tool%:*} >/dev/null || missing="$$missing $${tool#*:}"; done; \
	test -e /usr/include/modbus/modbus.h || missing="$$missing libmodbus-dev libc6-dev"; \
	test -n "$$missing" || exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing$$missing"; \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $$missing >/dev/null \
		&& exit 0; \
	fi; \
	echo "Not installed:$$missing (as root: apt-get install$$missing). The tests that need them will skip."

bench: .venv/test.stamp peers
	$(BIN)/python -m tests.benchmarks --report docs/benchmarks.md $(ARGS)

generate: .venv/all.stamp
	$(BIN)/python -m sockio.generate

clean:
	rm -rf .venv .bench build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
