# Two commands matter: `make demo` shows the whole thing working, `make test` runs the tests.

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

PREFIX ?= /usr/local
DESTDIR ?=
BUILT ?= $(TARGET)/release
# Manual pages and shell completions; empty: they are not installed.
MANUAL ?= $(TARGET)/manual

PROGRAMS := $(notdir $(basename $(wildcard src/bin/*.rs)))
UNITS := $(notdir $(wildcard systemd/*))
SYSTEMD = $(DESTDIR)$(PREFIX)/lib/systemd/system
SHARE = $(DESTDIR)$(PREFIX)/share
# What stands in $(MANUAL) as it stands in PREFIX/share.
SHARED = man/man8 bash-completion/completions zsh/site-functions fish/vendor_completions.d

CARGO_DEB = 3.8.0
CARGO_GENERATE_RPM = 0.21.1
CARGO_DENY = 0.20.2
CARGO_CYCLONEDX = 0.5.9
CARGO_SEMVER_CHECKS = 0.51.0
TOOLS := $(abspath $(TARGET))/tools
# Both packagers replace `target/release` by the real folder, wherever it is: what they pack lies below it.
STAGE = $(TARGET)/release/package

# No directory of the machine that builds them is in the programs, and the same source gives the same bytes in any.
HOME_OF_CARGO := $(or $(CARGO_HOME),$(HOME)/.cargo)
REMAPPED = --remap-path-prefix=$(CURDIR)=/source --remap-path-prefix=$(abspath $(TARGET))=/target \
	--remap-path-prefix=$(HOME_OF_CARGO)=/cargo
# One set of flags for all release builds: with another one everything would be built anew.
RELEASE = RUSTFLAGS='$(strip $(RUSTFLAGS) $(REMAPPED))' $(CARGO) build --release

.PHONY: all manual install demo test fresh system-test lint year matrix model bench fleet fuzz deny sbom semver dependencies stage reproducible \
	recording deb rpm packages-test clean

all: manual

# Built together with the programs, so that what both rest on is built once.
manual:
	$(RELEASE) -p pan_getcert -p manual
	rm -rf $(TARGET)/manual
	$(TARGET)/release/manual $(TARGET)/manual

# Starts and enables nothing. The units name the programs where they really are.
install:
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(PROGRAMS:%=$(BUILT)/%)
	install -D -m 644 logrotate/pan_getcert $(DESTDIR)/etc/logrotate.d/pan_getcert
	install -D -m 644 -t $(SYSTEMD) $(UNITS:%=systemd/%)
	sed -i 's|/usr/bin/|$(PREFIX)/bin/|' $(UNITS:%=$(SYSTEMD)/%)
	@test -z '$(MANUAL)' || test -d '$(MANUAL)/man' || { echo '$(MANUAL) is missing: make manual, or MANUAL= to do without' >&2; exit 1; }
	$(if $(MANUAL),set -e; for below in $(SHARED); do install -D -m 644 -t $(SHARE)/$$below $(MANUAL)/$$below/*; done)

# What building and testing need from the distribution; says what it installs, and does nothing where all is there.
dependencies:
	@scripts/check-compilers
	@scripts/install-dependencies
	@scripts/install-promtool $(TOOLS)

# The packages hold what `make install` installs.
stage: all
	rm -rf $(STAGE)
	$(MAKE) --no-print-directory install DESTDIR=$(STAGE) PREFIX=/usr BUILT=$(TARGET)/release
	gzip -9n $(STAGE)/usr/share/man/man8/*
	gzip -9nc CHANGELOG.md > $(STAGE)/changelog.gz
	@scripts/third-party $(STAGE)/THIRD-PARTY
	gzip -9nc $(STAGE)/THIRD-PARTY > $(STAGE)/THIRD-PARTY.gz

# What the packages hold, built twice in different directories: the same bytes, or an error. Twice a release build.
reproducible:
	@scripts/reproducible $(abspath $(TARGET))

deb:
	@scripts/install-dependencies deb
	@$(MAKE) --no-print-directory stage
	@scripts/install-cargo-tool cargo-deb $(CARGO_DEB) $(TOOLS)
	PATH=$(TOOLS)/bin:$$PATH $(CARGO) deb --no-build

rpm:
	@scripts/install-dependencies rpm
	@$(MAKE) --no-print-directory stage
	@scripts/install-cargo-tool cargo-generate-rpm $(CARGO_GENERATE_RPM) $(TOOLS)
	PATH=$(TOOLS)/bin:$$PATH $(CARGO) generate-rpm

# Both packages built and looked into; the Debian one installed, removed and purged in a root of its own.
packages-test:
	@scripts/install-dependencies packages
	@$(MAKE) --no-print-directory deb rpm
	@tests/packages $(TARGET)

# The README's recording of the demo, docs/demo.svg, and the live screen with 4 and 500 devices, docs/live.md, made
# anew. Minutes.
recording: dependencies
	$(CARGO) build --workspace --bins
	@scripts/recording
	$(CARGO) test --workspace --test live -- --ignored record

# What the demo shows, and no more.
demo:
	@scripts/check-compilers
	@scripts/install-dependencies demo
	$(CARGO) build --workspace --bin pan_getcert --bin pan_instcert --bin panos-sim
	@demo/run
	@printf '\nNothing of this runs on. What was built stays in %s ("make clean" takes it away), and so do installed packages.\n' '$(TARGET)'

# Most tests wait for a device, for certmonger or for a moment to come: more of them than there are cores can go at once.
test: export RUST_TEST_THREADS ?= $(shell expr 4 \* $$(nproc))
test: dependencies
	$(CARGO) test --workspace --no-fail-fast

# The README's commands on empty machines: those two of Debian and the last long-lived Ubuntu. As root; hours. With
# HERE=1 on this one without what an empty one has not, with what is built already. docs/system-test.md
fresh:
	@scripts/fresh $(if $(HERE),--here) $(ON)

# A real machine, booted, with certmonger, Kerberos, sudo and systemd in it. As root; minutes. docs/system-test.md
system-test:
	@SUITE="$(ON)" scripts/system-test $(ONLY)

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	cp Cargo.lock fuzz/Cargo.lock
	$(CARGO) clippy --manifest-path fuzz/Cargo.toml --no-default-features --target-dir $(TARGET) -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

# A year of daily renewals on five firewalls, with trouble in three of ten runs. Minutes.
year: dependencies
	$(CARGO) test --workspace --test year -- --ignored --nocapture

# Every request of a deployment, broken in every way; `make test` runs a fifth of it. Minutes.
matrix: dependencies
	$(CARGO) test --workspace --test matrix --test panorama_push -- --ignored --nocapture

# Every order of two callers, the worker, crashes, lost replies and clock jumps, with more troubles than in `make test`.
model: dependencies
	$(CARGO) test --workspace --test model -- --include-ignored --nocapture

# One deployment beside openssl + curl and panxapi.py; fleets; the queue; a push from Panorama; what is far larger than
# usual. The limits that are not kept make it fail, all the same all is measured.
bench: dependencies
	$(RELEASE) --workspace --bins
	@failed=; for bench in start deployment fleet queue panorama huge; do benches/$$bench || failed="$$failed $$bench"; echo; done; \
	if [ -n "$$failed" ]; then echo "Limits not kept:$$failed" >&2; exit 1; fi

# Five hundred devices, a tenth each silent, refusing, failing the commit, and rebooting in it. Minutes.
fleet: dependencies
	$(CARGO) test --workspace --test fleet -- --ignored --nocapture

# The dependencies' licences, sources and doubles, and their known faults where the database is at hand. deny.toml
deny:
	@scripts/install-cargo-tool cargo-deny $(CARGO_DENY) $(TOOLS)
	@scripts/deny $(TOOLS)

# What the programs are made of, as CycloneDX.
sbom:
	@scripts/install-cargo-tool cargo-cyclonedx $(CARGO_CYCLONEDX) $(TOOLS)
	@scripts/sbom $(TOOLS) $(TARGET)/sbom/pan_getcert.cdx.json

# The client crate beside that of the last release: what its users build on is there, or the version says that it is not.
semver:
	@scripts/install-cargo-tool cargo-semver-checks $(CARGO_SEMVER_CHECKS) $(TOOLS)
	@scripts/semver $(TOOLS)

# Every reader of what others write, fed with what no one would write: each target for so many seconds. docs/fuzzing.md
fuzz: SECONDS ?= 60
fuzz:
	@scripts/install-dependencies fuzz
	@scripts/fuzz $(SECONDS) $(TARGETS)

clean:
	$(CARGO) clean
