# The commands of this project; .ci/run calls the same ones. `make help` lists them.

PYTHON ?= python3
VENV   := .venv
EXPORT := .venv-export
SCAN   := .venv-scan
LANCE  := .venv-engine
BEAM   := .venv-embed
CLI    := $(VENV)/bin/python -m cli
LOCK   := .venv-lock
ARGS   ?=

# The variables of `make run`. They go through the environment, so a folder may have any name.
export PHOTOS PORT MODEL COUNT SUGGESTIONS
# More variables of `make reconcile` and `make status`.
export INDEX THUMBNAILS PLAN URL
# Variables of `make switch`, besides PHOTOS, INDEX, THUMBNAILS, PLAN, CAPTIONS and PREFIX.
export SPACE
# Variables of `make evaluate`, besides PHOTOS, INDEX and COUNT.
export CAPTIONS PREFIX
# Variables of `make export`, besides MODEL.
export TO PRECISION
# More variables of `make upload` and `make coco`.
export FROM SPLIT ANNOTATIONS IMAGES
# Variables of `make image`, besides TO.
export BASE TAG TOOL ENGINE

# Without this, every Terraform command asks HashiCorp for a newer version.
export CHECKPOINT_DISABLE := 1

.DEFAULT_GOAL := help
# Every target with a comment, as `help` lists them.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.* \#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.made ## start page, search and indexing on this machine [PHOTOS=folder] [PORT=8080] [MODEL=folder, id or demo] [COUNT=500]
	@exec $(CLI) run $${PHOTOS:+"$$PHOTOS"} $${PORT:+--port "$$PORT"} \
	  $${MODEL:+--model "$$MODEL"} $${COUNT:+--count "$$COUNT"} \
	  $${SUGGESTIONS:+--suggestions "$$SUGGESTIONS"}

export: $(VENV)/.made ## export a CLIP to a bundle: MODEL=id or folder [TO=gs://…] [PRECISION=fp32] [ARGS=…]
	@exec $(CLI) export $${MODEL:+"$$MODEL"} $${TO:+--to "$$TO"} \
	  $${PRECISION:+--precision "$$PRECISION"} $(ARGS)

upload: $(VENV)/.made ## upload the photos of a folder to a bucket: FROM=folder TO=gs://… or file:///… [ARGS=…]
	@exec $(CLI) upload $${FROM:+"$$FROM"} $${TO:+"$$TO"} $(ARGS)

demo-upload: $(VENV)/.made ## draw demo pictures and upload them to a bucket: TO=gs://… [COUNT=100]
	@test -n "$$TO" || { echo "demo-upload needs a bucket: make demo-upload TO=gs://…" >&2; exit 2; }
	@$(VENV)/bin/python -m cli.demo_photos build/demo-photos --count "$${COUNT:-100}"
	@exec $(CLI) upload build/demo-photos "$$TO" $(ARGS)

coco: $(VENV)/.made ## upload photos of COCO to a bucket: TO=… [COUNT=5000] [SPLIT=val2017] [ANNOTATIONS=…] [IMAGES=…]
	@exec $(CLI) coco $${COUNT:+--count "$$COUNT"} $${SPLIT:+--split "$$SPLIT"} \
	  $${ANNOTATIONS:+--annotations "$$ANNOTATIONS"} $${IMAGES:+--images "$$IMAGES"} \
	  $${TO:+"$$TO"} $(ARGS)

reconcile: $(VENV)/.made ## repair the index by comparing it with the photos [PLAN=1] [PHOTOS=…] [INDEX=…] [THUMBNAILS=…]
	@$(CLI) reconcile $${PHOTOS:+--photos "$$PHOTOS"} $${INDEX:+--index "$$INDEX"} \
	  $${THUMBNAILS:+--thumbnails "$$THUMBNAILS"} $${PLAN:+--plan} $(ARGS)

embed: $(BEAM)/.made ## index millions of photos with many processes or machines [PLAN=1] [PHOTOS=…] [INDEX=…] [ARGS="--workers 4"]
	@$(BEAM)/bin/python -m cli embed $${PHOTOS:+--photos "$$PHOTOS"} $${INDEX:+--index "$$INDEX"} \
	  $${THUMBNAILS:+--thumbnails "$$THUMBNAILS"} $${SPACE:+--space "$$SPACE"} $${PLAN:+--plan} $(ARGS)

switch: $(VENV)/.made ## make another model current [SPACE=…] [CAPTIONS=coco.json] [PREFIX=…] [PLAN=1] [INDEX=…] [ARGS=--back]
	@$(CLI) switch $${PHOTOS:+--photos "$$PHOTOS"} $${INDEX:+--index "$$INDEX"} \
	  $${THUMBNAILS:+--thumbnails "$$THUMBNAILS"} $${CAPTIONS:+--captions "$$CAPTIONS"} \
	  $${PREFIX:+--prefix "$$PREFIX"} $${PLAN:+--plan} $${SPACE:+"$$SPACE"} $(ARGS)

status: $(VENV)/.made ## print the state of the index [URL=http://127.0.0.1:8081]
	@$(CLI) status $${URL:+"$$URL"}

test: $(VENV)/.dev ## run the tests that need no torch, on all cores [ARGS="tests/ingest -k late"] [ARGS="-n 0"]
	$(VENV)/bin/python -m pytest --ignore=tests/export --ignore=tests/image --ignore=tests/beam \
	  --ignore=tests/engine/lance \
	  -n auto --dist worksteal $(ARGS)

test-engine: $(LANCE)/.made ## run the tests of the mirror in Lance (an environment of 1 GB) [ARGS=…]
	$(LANCE)/bin/python -m pytest tests/engine $(ARGS)

test-export: $(EXPORT)/.made ## run the tests of the export and the demo model (torch) [ARGS=…]
	$(EXPORT)/bin/python -m pytest tests/export $(ARGS)

test-image: $(VENV)/.dev ## build the container image and check it: buildah, debootstrap, root; minutes, 6 GB of disk [ARGS=…]
	$(VENV)/bin/python -m pytest -n 0 tests/image $(ARGS)

test-embed: $(BEAM)/.made ## run the tests of the pipeline on Apache Beam, and of decoding and encoding beside it [ARGS=…]
	$(BEAM)/bin/python -m pytest tests/beam tests/images/test_preprocess.py \
	  tests/encoder/test_encoder.py $(ARGS)

test-models: $(EXPORT)/.made ## compare models of full size with PyTorch, one at a time; minutes, 16 GB [MODEL=siglip-base]
	$(EXPORT)/bin/python -m pytest -n 0 tests/export/full_size.py $${MODEL:+-k "$$MODEL"} $(ARGS)

image: ## build the container image, and push it: [TO=REGION-docker.pkg.dev/…] [BASE=python:3.13-slim] [TAG=…] [TOOL=docker] [ENGINE=lance]
	@sh packaging/image/build.sh

check: $(VENV)/.dev ## run ruff, the format check and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	@if command -v terraform >/dev/null; then terraform fmt -check -diff -recursive terraform; \
	else echo "terraform is not installed: the format of terraform/ is not checked"; fi

scan: $(SCAN)/.made ## look for unsafe settings in terraform/ (checkov, offline)
	$(SCAN)/bin/checkov --directory terraform --framework terraform --skip-download --quiet --compact

format: $(VENV)/.dev ## format the code
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# For Linux and macOS, from Python 3.11 on. A locked version stays while its requirements.in allows
# it. --custom-compile-command keeps the paths of this machine out of the header.
COMPILE = $(LOCK)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --custom-compile-command "make lock"

lock: $(LOCK)/.made ## resolve each requirements.in into requirements.txt [ARGS=--upgrade] [ARGS="--upgrade-package flask"]
	$(COMPILE) functions/requirements.in -o functions/requirements.txt $(ARGS)
	$(COMPILE) cli/requirements.in -o cli/requirements.txt -c functions/requirements.txt $(ARGS)
	$(COMPILE) requirements.in -o requirements.txt -c functions/requirements.txt \
	  -c cli/requirements.txt $(ARGS)
	$(COMPILE) model_export/requirements.in -o model_export/requirements.txt -c requirements.txt $(ARGS)
	$(COMPILE) packaging/image/requirements.in -o packaging/image/requirements.txt \
	  -c requirements.txt $(ARGS)
	$(COMPILE) functions/clipsearch/engine/requirements.in -o functions/clipsearch/engine/requirements.txt \
	  -c requirements.txt $(ARGS)
	$(COMPILE) benchmarks/system/requirements.in -o benchmarks/system/requirements.txt \
	  -c requirements.txt -c model_export/requirements.txt $(ARGS)
	@# Without constraints: Beam needs an older protobuf than ours. Everything else must agree.
	$(COMPILE) functions/requirements.in cli/requirements.in cli/embed/requirements.in \
	  --override cli/embed/overrides.txt -o cli/embed/requirements.txt $(ARGS)
	@# Fails without wheels for the cloud's Python (terraform/*.tf): it builds nothing from source.
	$(LOCK)/bin/uv pip compile --quiet --no-deps --only-binary :all: --python-version 3.13 \
	  --python-platform x86_64-manylinux_2_28 functions/requirements.txt >/dev/null

demo-model: $(EXPORT)/.made ## train and export the demo model again [ARGS=…]
	$(EXPORT)/bin/python -m model_export.demo.train $(ARGS)

evaluate-demo: $(VENV)/.dev ## measure the demo model; prints the figures of docs/benchmarks.md [ARGS=…]
	$(VENV)/bin/python -m model_export.demo.evaluate $(ARGS)

evaluate: $(VENV)/.made ## measure recall of search: CAPTIONS=coco.json [INDEX=…] [PHOTOS=…] [PREFIX=coco/] [COUNT=…] [ARGS=…]
	@$(CLI) evaluate $${CAPTIONS:+--captions "$$CAPTIONS"} $${INDEX:+--index "$$INDEX"} \
	  $${PHOTOS:+--photos "$$PHOTOS"} $${PREFIX:+--prefix "$$PREFIX"} $${COUNT:+--count "$$COUNT"} $(ARGS)

golden: $(EXPORT)/.made ## write tests/golden again from the reference implementation
	$(EXPORT)/bin/python -m tests.export.golden $(ARGS)

bench: $(EXPORT)/.made ## compare the whole system with the original design; 10 minutes [ARGS="--photos 10000 --seconds 2"]
	@$(EXPORT)/bin/python -m benchmarks.system $(ARGS)

bench-cold: $(EXPORT)/.made ## draw the phases from the start of search to its first answer; 1 minute [ARGS="--starts 20"]
	@$(EXPORT)/bin/python -m benchmarks.cold $(ARGS)

bench-embed: $(BEAM)/.made ## compare embed on Beam with reconcile: core-seconds, memory, equality [ARGS="--photos 5000"]
	@$(BEAM)/bin/python -m benchmarks.embed $(ARGS)

bench-embed-scale: $(BEAM)/.made ## measure embed's memory with simulated photos (Linux) [ARGS="--photos 1000000 --workers 2"]
	@$(BEAM)/bin/python -m benchmarks.embed_scale $(ARGS)

bench-encoder: $(EXPORT)/.made ## time the encoder of this machine [ARGS=…]
	$(EXPORT)/bin/python -m benchmarks.encoder $(ARGS)

bench-gemm: $(EXPORT)/.made ## compare the image tower with its 8-bit products alone, and the stages of a photo; 4 minutes [ARGS="--rounds 100"]
	@$(EXPORT)/bin/python -m benchmarks.gemm $(ARGS)

bench-ingest: $(VENV)/.dev ## measure how well ingest uses one CPU with slow storage (Linux); 4 minutes [ARGS="--turns 3 --photos 256"]
	@$(VENV)/bin/python -m benchmarks.ingest $(ARGS)

bench-index: $(VENV)/.dev ## measure a large index; takes minutes and 6 GB of disk [ARGS="--photos 118287"]
	$(VENV)/bin/python -m benchmarks.index $(ARGS)

bench-memory: $(VENV)/.dev ## measure the memory of both functions, part by part (Linux); 5 minutes and 6 GB of disk [ARGS="--photos 118287"]
	@$(VENV)/bin/python -m benchmarks.memory $(ARGS)

bench-growth: $(VENV)/.dev ## measure how cost grows from 1,000 to a million photos (Linux); 10 minutes and 6 GB of disk [ARGS="--photos 1000 10000"]
	@$(VENV)/bin/python -m benchmarks.growth $(ARGS)

bench-engine: $(LANCE)/.made ## measure search in the mirror; 10 minutes and 3 GB of disk [ARGS="--photos 4000000"]
	@$(LANCE)/bin/python -m benchmarks.engine $(ARGS)

bench-matching: $(VENV)/.dev ## measure how well matches are told from others; 2 minutes [ARGS="--photos 12000"]
	@$(VENV)/bin/python -m benchmarks.matching $(ARGS)

bench-decoding: $(VENV)/.dev ## measure memory and seconds of the worst photos of each format (Linux)
	@$(VENV)/bin/python -m benchmarks.decoding

bench-models: $(VENV)/.dev ## measure the known models at full size, with random weights; 20 minutes, 6 GB of disk and memory [ARGS="--only ID …"] [ARGS=--record]
	@$(VENV)/bin/python -m benchmarks.models $(ARGS)

bench-precision: $(EXPORT)/.made ## compare 8 bits with fp32: quality, size, loading, speed
	$(EXPORT)/bin/python -m benchmarks.precision

bench-outliers: $(EXPORT)/.made ## measure 8 bits with planted outlier channels: quality and speed
	$(EXPORT)/bin/python -m benchmarks.outliers

bench-terms: $(VENV)/.dev ## measure searches with several terms in 10,000 drawn scenes
	@$(VENV)/bin/python -m benchmarks.terms $(ARGS)

bench-look: $(VENV)/.dev ## measure which hash tells near-duplicates from other pictures [ARGS="--scenes 300"]
	@$(VENV)/bin/python -m benchmarks.look $(ARGS)

bench-thumbnails: $(VENV)/.dev ## measure time, bytes and dollars of thumbnails and previews; 3 minutes
	@$(VENV)/bin/python -m benchmarks.thumbnails

bench-stacks: $(VENV)/.dev ## measure near-duplicates: quality, and the cost at a million photos; 10 minutes [ARGS="--parts pairs"]
	@$(VENV)/bin/python -m benchmarks.stacks $(ARGS)

bench-page: $(VENV)/.dev ## measure what the page weighs and how fast it is, in Chromium; 2 minutes [ARGS="--photos FOLDER"]
	@$(VENV)/bin/python -m benchmarks.page $(ARGS)

bench-peers: $(EXPORT)/.made ## measure beside other packages, each in build/peers/; half an hour, 8 GB [ARGS="--vectors FILE --only hnswlib"]
	@$(EXPORT)/bin/python -m benchmarks.peers $(ARGS)

screenshot: $(VENV)/.dev ## take the pictures of the page in docs/, while make run runs [PORT=8080] [ARGS='--question "a cat"']
	$(VENV)/bin/python -m benchmarks.screenshot http://127.0.0.1:$(or $(PORT),8080) docs $(ARGS)

clean: ## remove the environments, build/ and caches
	rm -rf $(VENV) $(EXPORT) $(SCAN) $(BEAM) $(LANCE) $(LOCK) .image build terraform/.build \
	  .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# An environment is made again when its requirements change.
$(VENV)/.made: functions/requirements.txt cli/requirements.txt
	$(call environment,$(VENV),-r functions/requirements.txt -r cli/requirements.txt)

# The first test or check installs the development packages.
$(VENV)/.dev: $(VENV)/.made requirements.txt
	@$(call install,$(VENV),-r requirements.txt)
	@touch $@

# Its own environment: checkov needs many packages, and older ones than ours.
$(SCAN)/.made: terraform/tests/requirements.txt
	$(call environment,$(SCAN),-r terraform/tests/requirements.txt)

# Its own environment: Arrow and Lance are large, and only a mirror needs them.
$(LANCE)/.made: requirements.txt functions/clipsearch/engine/requirements.txt
	$(call environment,$(LANCE),-r requirements.txt -r functions/clipsearch/engine/requirements.txt)
# Apache Beam asks for an older Pillow (cli/embed/overrides.txt). The lock is whole, so --no-deps.
$(BEAM)/.made: cli/embed/requirements.txt
	$(call environment,$(BEAM),--no-deps -r cli/embed/requirements.txt)

$(LOCK)/.made: Makefile
	$(call environment,$(LOCK),uv==0.13.9)

# torch has its own call: in one call, pip wants hashes for all packages or for none.
$(EXPORT)/.made: requirements.txt model_export/requirements.txt benchmarks/system/requirements.txt \
  model_export/torch.txt
	$(call environment,$(EXPORT),-r requirements.txt -r model_export/requirements.txt \
	  -r benchmarks/system/requirements.txt,-r model_export/torch.txt)

define environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "clipsearch needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
       "Name another one: make PYTHON=python3.12 …" >&2; exit 1; }
@echo "making $(1) (once; a few minutes on a slow connection)"
@$(PYTHON) -m venv --clear $(1)
@$(1)/bin/pip install --quiet --dry-run --no-deps --retries 0 --timeout 4 click >/dev/null 2>&1 || { \
  echo "The Python package index cannot be reached: connect to the network, or name a mirror in" \
       "PIP_INDEX_URL, and run make again." >&2; exit 1; }
@$(call install,$(1),$(2))
$(if $(3),@$(call install,$(1),$(3)))
@touch $@
endef

# pip prints a line for each package, so progress shows on a slow connection.
install = $(1)/bin/pip install --disable-pip-version-check $(2)
