# Two commands matter: `make demo` shows the whole thing working, `make test` runs every test.

CARGO ?= cargo

PREFIX ?= /usr/local
DESTDIR ?=
BUILT ?= target/release

PROGRAMS := $(notdir $(basename $(wildcard src/bin/*.rs)))
UNITS := $(notdir $(wildcard systemd/*))
SYSTEMD = $(DESTDIR)$(PREFIX)/lib/systemd/system

.PHONY: all install demo test system-test lint year bench dependencies clean

all:
	$(CARGO) build --release

# Starts and enables nothing. The units name the programs where they really are.
install:
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(PROGRAMS:%=$(BUILT)/%)
	install -D -m 644 logrotate/pan_getcert $(DESTDIR)/etc/logrotate.d/pan_getcert
	install -D -m 644 -t $(SYSTEMD) $(UNITS:%=systemd/%)
	sed -i 's|/usr/bin/|$(PREFIX)/bin/|' $(UNITS:%=$(SYSTEMD)/%)

# What building and testing need from the distribution; says what it installs, and does nothing where all is there.
dependencies:
	@scripts/install-dependencies

demo: dependencies
	$(CARGO) build --workspace --bins
	@demo/run

test: dependencies
	$(CARGO) test --workspace

# A real machine, booted, with certmonger, Kerberos, sudo and systemd in it. As root; minutes. docs/system-test.md
system-test:
	@scripts/system-test

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

# A year of daily renewals on five firewalls, with trouble in three of ten runs. Minutes.
year: dependencies
	$(CARGO) test --test year -- --ignored --nocapture

bench: dependencies
	$(CARGO) build --release --workspace --bins
	@benches/deployment

clean:
	$(CARGO) clean
