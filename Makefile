# Debian 12 with git, make and a Swift 6.3 toolchain is enough: setup installs what else is needed.

.PHONY: run build test prove lint bench format setup

run: build  # serves on 127.0.0.1:3100, the data in ./data
	.build/release/ledgerd --data ./data

build: setup  # the two programs, in .build/release
	swift build --configuration release --product ledgerctl
	swift build --configuration release --product ledgerd

test: setup lint  # the programs' tests after the others, which use every core for a while
	swift build --build-tests
	swift test --skip-build --skip ledgerdTests --skip ledgerctlTests --skip ReadmeTests
	swift test --skip-build --filter ledgerdTests --filter ledgerctlTests --filter ReadmeTests

prove: setup  # the fault experiments at full size, hours; writes RELIABILITY.md
	bash Tests/prove.sh

lint:
	swift format lint --strict --recursive Sources Tests Package.swift

bench: setup  # writes Benchmarks/Results.md
	bash Benchmarks/bench.sh

format:
	swift format --in-place --recursive Sources Tests Package.swift

setup:
	@bash .ci/setup
