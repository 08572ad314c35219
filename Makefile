# The commands of the house. `make demo` and `make test` set a fresh Debian 12 machine up by themselves.

.PHONY: help build demo test check bench score figures clean

help:
	@echo 'make demo            the whole way on simulated hardware, a minute, with a table at the end'
	@echo 'make demo FOREVER=1  the same, kept running until Ctrl-C'
	@echo 'make test            everything that can be tested here'
	@echo 'make check           format, clippy and licences alone'
	@echo 'make build           the binary, target/release/livebox'
	@echo 'make bench           what the bonding costs, in share of a core'
	@echo 'make score           the score of every scenario anew, docs/score.md; TRACES=DIR for recorded ones too'
	@echo 'make figures         every figure the bonding is held to, measured; TRACES=DIR for recorded ones too'
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
	cargo bench --no-default-features --target-dir target/plain --bench bond
	python3 benches/bond_cpu.py

# no GStreamer is needed for these, and a tree of its own keeps the two builds from undoing each other
score:
	scripts/needs.sh build
	cargo build --release --no-default-features --target-dir target/plain
	scripts/score.py --livebox target/plain/release/livebox $(if $(TRACES),--traces $(TRACES))

figures:
	scripts/needs.sh build
	cargo build --release --no-default-features --target-dir target/plain
	scripts/figures.py --livebox target/plain/release/livebox $(if $(TRACES),--traces $(TRACES))

clean:
	cargo clean
