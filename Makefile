# Two commands matter: `make demo` shows the whole thing working, `make test` runs every test.

CARGO ?= cargo

.PHONY: all demo test lint bench dependencies clean

all:
	$(CARGO) build --release

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
