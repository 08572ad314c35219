# The commands of the house. `make demo` and `make test` set a fresh Debian 12 machine up by themselves.

.PHONY: help build demo test check bench score figures tunnel bench-sockets peers flood clean

help:
	@echo 'make demo            the whole way on simulated hardware, a minute, with a table at the end'
	@echo 'make demo FOREVER=1  the same, kept running until Ctrl-C'
	@echo 'make test            everything that can be tested here'
	@echo 'make check           format, clippy and licences alone'
	@echo 'make build           the binary, target/release/livebox'
	@echo 'make bench           what bonding and programme cost, in share of a core'
	@echo 'make score           the score of every scenario anew, docs/score.md; TRACES=DIR for recorded ones too'
	@echo 'make figures         every figure the bonding is held to, measured; TRACES=DIR for recorded ones too'
	@echo 'make tunnel          SRT through the tunnel to stock listeners, 45 minutes, with a table at the end'
	@echo 'make bench-sockets   every scenario on real sockets at 95 % of the simulator, 2 minutes each'
	@echo 'make peers DIR=…     srtla_send and srtla_rec that stand built below DIR, against ours'
	@echo 'make flood           a live group while garbage pours onto the gateway'
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
	cargo bench --bench programme
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

# SCENARIOS, TRACES and MORE are handed on, as in: make bench-sockets SCENARIOS=../scenarios TRACES=../traces
tunnel:
	scripts/needs.sh demo
	cargo build --release
	scripts/tunnel.sh $(MORE)

bench-sockets:
	scripts/needs.sh demo
	cargo build --release
	scripts/sockets.sh $(SCENARIOS) $(if $(TRACES),--traces $(TRACES)) $(MORE)

peers:
	scripts/needs.sh demo
	cargo build --release
	scripts/peers.sh $(DIR) $(MORE)

flood:
	scripts/needs.sh demo
	cargo build --release
	scripts/flood.sh $(MORE)

clean:
	cargo clean
