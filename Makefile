# Two commands matter: `make demo` shows the whole thing working, `make test` runs every test.

CARGO ?= cargo

PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: all install demo test lint bench dependencies clean

all:
	$(CARGO) build --release

# Starts and enables nothing. The unit names the programs where they really are.
install:
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin target/release/pan_getcert target/release/pan_instcert \
		target/release/pan_certctl
	install -D -m 644 logrotate/pan_getcert $(DESTDIR)/etc/logrotate.d/pan_getcert
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/bin/|$(PREFIX)/bin/|' systemd/pan_instcert@.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/pan_instcert@.service

# What building and testing need from the distribution; says what it installs, and does nothing where all is there.
dependencies:
	@scripts/install-dependencies

demo: dependencies
	$(CARGO) build --workspace --bins
	@demo/run

test: dependencies
	$(CARGO) test --workspace

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

bench: dependencies
	$(CARGO) build --release --workspace --bins
	@benches/deployment

clean:
	$(CARGO) clean
