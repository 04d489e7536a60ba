# bhbcheck: how to build, try, test and measure it. `make` alone lists the targets.

SWIFT ?= swift
PREFIX ?= /usr/local
# make run IMAGE=/boot/vmlinuz-…   inspects that image
IMAGE ?=
# make test-real SUITES='trixie sid'   takes the kernels of these suites alone
export SUITES
# make test-kernel SERIES=linux-7  takes another folder of patches/
SERIES ?= linux-6.12
# make test-kernel BOOTS=1         boots it under QEMU as well
BOOTS ?=
# make test-host HOSTS='Ice Lake'   boots under the hosts whose names hold this alone
HOSTS ?=
# make test FILTER=Kallsyms        runs the tests whose names match
FILTER ?=
# make fuzz T=3600 FUZZ=elf        fuzzes one reader for an hour
T ?= 300
FUZZ ?=
# make test-damaged N=100          tries so many damaged images
N ?= 2000

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
export SWIFT

binary := .build/release/bhbcheck
samples = if [ -f vmlinux-samples/Makefile ]; then $(MAKE) --no-print-directory -C vmlinux-samples; fi

# Two builds at once take twice the memory and no less time.
.NOTPARALLEL:
.PHONY: help run build test test-real test-kernel test-host test-damaged fuzz bench lint install dist doc clean clean-cache setup

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## inspect the embedded sample and a real kernel (IMAGE=…, else one from the archive)
	@scripts/run $(binary) '$(IMAGE)'

build: setup ## the release build, .build/release/bhbcheck
	$(SWIFT) build -c release --product bhbcheck

test: ## all tests of the fast tier, two real kernels among them (FILTER=… for some of them)
	@scripts/setup build test
	@$(samples)
	@kernels="$${BHBCHECK_KERNELS-$$(scripts/test-kernels)}"; \
	if [ -n "$$kernels" ]; then export BHBCHECK_KERNELS="$$kernels"; fi; \
	$(SWIFT) test --disable-xctest $(if $(FILTER),--filter '$(FILTER)')

test-real: ## slow, 15 GB kept: the kernels of vmlinux-samples/distributions.json, with -dbg (SUITES=…)
	@scripts/setup build test
	@$(samples)
	@kernels="$${BHBCHECK_KERNELS-$$(scripts/test-kernels --all)}"; \
	BHBCHECK_REAL=1 BHBCHECK_KERNELS="$$kernels" $(SWIFT) test --disable-xctest --filter RealKernel

test-kernel: build ## build our series for Linux (patches/) and inspect the result: 10 CPU minutes at first
	@scripts/test-kernel $(if $(BOOTS),--boots) $(SERIES)

test-host: build ## KVM's side of it under an emulated VMX (patches/host-6.12): 20 CPU minutes at first (HOSTS=…)
	@scripts/test-host $(if $(HOSTS),--only '$(HOSTS)')

test-damaged: build ## images damaged at random (N=2000): no crash, no hang, no verdict that is better for it
	@$(samples)
	@scripts/setup build test
	@kernels="$${BHBCHECK_KERNELS-$$(scripts/test-kernels)}"; \
	BHBCHECK_KERNELS="$$kernels" BHBCHECK_DAMAGED=$(N) BHBCHECK_TOOL='$(CURDIR)/$(binary)' \
	$(SWIFT) test --disable-xctest --filter DamagedImageTests

# A build of its own: sanitizers are part of every module then.
fuzz: setup ## fuzz the readers of images, patches and settings for T seconds in all (FUZZ=… for one)
	@BHBCHECK_FUZZ=1 $(SWIFT) build -c release --product fuzz --scratch-path .build/fuzz \
	  -Xswiftc -sanitize=fuzzer,address -Xswiftc -use-ld=lld -Xswiftc -enable-testing
	@fuzz/run .build/fuzz/release/fuzz $(T) $(FUZZ)

bench: build ## speed and memory, held against the plain decompressor (BENCH_DBG, BENCH_STRICT: bench/run)
	@scripts/setup bench
	@bench/run $(binary)

lint: setup ## formatting rules of Swift, shellcheck of the scripts where it is installed
	$(SWIFT) format lint -s -r -p Sources Tests Package.swift
	@if command -v shellcheck >/dev/null; then \
	  shellcheck -x .ci/run bench/run fuzz/run scripts/fetch-kernel scripts/run scripts/setup scripts/test-host scripts/test-kernel \
	    scripts/test-kernels scripts/dist scripts/doc scripts/manual scripts/try-dist \
	    examples/batch/parallel.sh examples/batch/slurm.sh; \
	fi

# Linked statically against Swift's libraries, so that the toolchain may go or be updated afterwards.
install: setup ## the command, its manual and completions under PREFIX (/usr/local)
	$(SWIFT) build -c release --product bhbcheck --static-swift-stdlib
	install -D -m 755 $(binary) '$(DESTDIR)$(PREFIX)/bin/bhbcheck'
	@scripts/manual $(binary) '$(DESTDIR)$(PREFIX)/share'

dist: setup ## a tarball for machines without Swift, under dist/ (scripts/try-dist tries it)
	@scripts/dist

doc: ## the libraries' documentation from their comments, under .build/doc, by DocC
	@scripts/doc

clean: ## the build's products
	rm -rf .build dist
	@if [ -f vmlinux-samples/Makefile ]; then $(MAKE) --no-print-directory -C vmlinux-samples clean; fi

clean-cache: ## the fetched kernels
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/bhbcheck"

setup:
	@scripts/setup build
