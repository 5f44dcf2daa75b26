# Slipstream MLX. `make` alone lists the targets.
#
#   make quickstart      a small model that talks, in five minutes, with no network but the package registry
#   make eval            the real one: fetch F1DB, build the corpus, pretrain, finetune, evaluate; whatever is missing
#
# Variables: PRESET=nano|slipstream-51m|token-forge|gpt2-124m  CORPUS="files or folders"  STEPS=N  RESUME=1

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SLIP   := $(BIN)/python -m slipstream_mlx

# The preset stays what it was in the last run, so that nothing trained is replaced by accident.
STAMP  := checkpoints/.preset
PRESET ?= $(or $(shell cat $(STAMP) 2>/dev/null),slipstream-51m)
CORPUS ?=
STEPS  ?=
RESUME ?=
FLAGS  := $(if $(STEPS),--steps $(STEPS)) $(if $(RESUME),--resume)

# The large models learn from data/corpus, the small ones from what is in the package, unless CORPUS says otherwise.
BUILT  := $(if $(CORPUS),,$(if $(filter slipstream-51m gpt2-124m,$(PRESET)),data/corpus))
TEXTS  := $(if $(BUILT),--corpus $(BUILT)/documents.jsonl --questions $(BUILT)/questions.jsonl)
TEXTS  := $(or $(TEXTS),$(if $(CORPUS),--corpus $(CORPUS)))

EMBEDDED := $(shell find slipstream_mlx/corpus -type f -not -name '*.pyc' 2>/dev/null)
BASE   := checkpoints/base/loss.png
QA     := checkpoints/qa/loss.png
REPORT := checkpoints/qa/eval.json

.DEFAULT_GOAL := help
.PHONY: help setup quickstart download corpus pretrain finetune eval demo screenshots chat test lint bench clean FORCE

help: ## this list
	@echo "Slipstream MLX: a Formula 1 language model, trained from scratch."
	@echo
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20
	@echo
	@echo '  variables: PRESET=NAME CORPUS="PATHS" STEPS=N RESUME=1     preset now: $(PRESET)'

# One step of training is tried at once: what is missing (a C++ compiler, on Linux) shows here and not an hour into a
# run, and on a CPU MLX compiles its kernels in that step, 50 of them, and keeps them for all that follow.
setup: $(VENV)/.ready ## make .venv, install what is needed, and try one step
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@echo "trying one step of training (a minute, the first time on a CPU)"
	@$(SLIP).train --preset nano --steps 1 --out $(VENV)/trial > $(VENV)/trial.log
	@rm -rf $(VENV)/trial $(VENV)/trial.log
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

quickstart: ## train, finetune and question the nano model (5 minutes on two CPU cores)
	@$(MAKE) --no-print-directory setup
	@$(MAKE) --no-print-directory eval PRESET=nano
	@echo
	@$(SLIP).generate --mode qa --prompt "Who won the world championship in 1988?"
	@$(SLIP).generate --model checkpoints/base --prompt "Ayrton Senna is a Formula One" --max-tokens 60 --seed 1
	@echo
	@echo "loss curves: $(BASE) $(QA)   report: $(REPORT)   next: make chat, make demo"

corpus: data/corpus/card.md ## merge all sources into data/corpus, with a card of what is in it
data/corpus/card.md: $(VENV)/.ready $(EMBEDDED) data/f1db/manifest.json $(wildcard data/wikipedia/manifest.json)
	$(SLIP).build_corpus --out data/corpus

data/f1db/manifest.json: | $(VENV)/.ready
	$(SLIP).download_data f1db --out data

# A stage's loss.png is the last thing it writes: where there is one, the stage is done.
pretrain: $(BASE) ## pretrain PRESET from random weights -> checkpoints/base
$(BASE): $(VENV)/.ready $(STAMP) $(if $(BUILT),$(BUILT)/card.md,$(if $(CORPUS),,$(EMBEDDED)))
	$(SLIP).train --preset $(PRESET) --out checkpoints/base $(TEXTS) $(FLAGS)

finetune: $(QA) ## teach it to answer -> checkpoints/qa
$(QA): $(BASE)
	$(SLIP).finetune_qa --model checkpoints/base --out checkpoints/qa $(if $(BUILT),$(TEXTS)) $(FLAGS)

eval: $(REPORT) ## ask the 49 held-out questions -> checkpoints/qa/eval.json
$(REPORT): $(QA)
	$(SLIP).eval_qa --model checkpoints/qa --report $@

demo: $(QA) ## open the demo in a browser
	$(BIN)/python demo/app.py --base checkpoints/base --qa checkpoints/qa

screenshots: $(QA) $(VENV)/.ready-dev ## retake docs/screenshots from the checkpoints (needs apt-get install chromium)
	$(BIN)/python demo/screenshots.py --base checkpoints/base --qa checkpoints/qa

chat: $(QA) ## talk to the model in the terminal
	$(SLIP).generate --model checkpoints/qa --mode qa

test: $(VENV)/.ready-dev ## run the tests (the slow ones: .venv/bin/python -m pytest -m slow)
	$(BIN)/python -m pytest -m "not slow"

bench: $(VENV)/.ready ## measure training and generation on this machine
	$(SLIP).bench --preset $(PRESET)

download: $(VENV)/.ready ## fetch Wikipedia's articles too, besides F1DB -> data/ (ten minutes, network)
	$(SLIP).download_data all --out data

lint: $(VENV)/.ready-dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy slipstream_mlx

clean: ## remove checkpoints and data (asks nobody; .venv stays)
	rm -rf checkpoints data

# Rewritten only when the preset changes, so that a new preset trains anew and the same one does not.
$(STAMP): FORCE
	@mkdir -p $(@D)
	@echo '$(PRESET)' | cmp -s - $@ || echo '$(PRESET)' > $@
