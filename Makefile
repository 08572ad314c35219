# The commands of the house. `make demo` and `make test` set a fresh Debian 12 machine up by themselves.

.PHONY: help build demo test check bench clean

help:
	@echo 'make demo            the whole way on simulated hardware, a minute, with a table at the end'
	@echo 'make demo FOREVER=1  the same, kept running until Ctrl-C'
	@echo 'make test            everything that can be tested here'
	@echo 'make check           format, clippy and licences alone'
	@echo 'make build           the binary, target/release/livebox'
	@echo 'make bench           what the bonding costs, in share of a core'
	@echo 'make clean           away with target/'

build:
	scripts/needs.sh build
	cargo build --release

demo:
	scripts/needs.sh demo
	cargo build --locked --release
	FOREVER=$(FOREVER) scripts/demo.sh

test:
	scripts/needs.sh test
	scripts/test.sh

check:
	scripts/needs.sh test
	scripts/test.sh format clippy clippy-plain licences

bench:
	scripts/needs.sh demo
	cargo build --release
	python3 benches/bond_cpu.py

clean:
	cargo clean
