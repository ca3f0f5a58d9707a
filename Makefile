# One environment on one machine. `make up` shows it, `make test` is what CI runs. As root, on Debian 12.
.DEFAULT_GOAL := help
.PHONY: help up down preview doctor status verify ssh kubectl app app-down check test live live-trio live-fabric live-placement live-verify clean

NAME ?= lab
STACK ?= lab
PYTHON := .venv/bin/python
LAB := $(PYTHON) -m lab
VERBOSE ?=
ROUTER ?= bird
IMAGES ?=
PURPOSE := lab
# Published manifests that lie beside the checkout are taken from there, by their sums.
export UNDERLAY_MIRROR ?= $(wildcard ../shared/data)

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/' | expand -t 20

up: ## bring the whole environment up on this machine (STACK=lab NAME=lab ROUTER=bird IMAGES=DIR VERBOSE=1)
	@lab/bootstrap.sh lab
	@$(LAB) up --name $(NAME) --stack $(STACK) --router $(ROUTER) $(if $(IMAGES),--images $(IMAGES)) $(if $(VERBOSE),--verbose)

down: ## remove everything that `make up` made
	@lab/bootstrap.sh preview
	@$(LAB) down --name $(NAME)

preview: ## show what `make up` would make (STACK=lab); needs no hypervisor
	@lab/bootstrap.sh preview
	@$(LAB) preview --name $(NAME) --stack $(STACK)

doctor: ## say whether `make up` will work and be fast (STACK=lab ARGS=--all)
	@lab/bootstrap.sh lab
	@$(LAB) doctor --name $(NAME) --stack $(STACK) $(if $(ARGS),-- $(ARGS))

status: ## show the nodes of the running environment
	@$(LAB) status --name $(NAME)

verify: ## say whether the running environment is what its stack declares (ARGS="--only services --html FILE")
	@$(LAB) verify --name $(NAME) $(if $(ARGS),-- $(ARGS))

ssh: ## open a shell on a node (NODE=cp-1)
	@$(LAB) ssh --name $(NAME) $(or $(NODE),$(error say which node: make ssh NODE=cp-1))

kubectl: ## run kubectl as administrator (ARGS="get pods -A")
	@$(LAB) kubectl --name $(NAME) -- $(or $(ARGS),$(error say what: make kubectl ARGS="get pods -A"))

app: ## bring an application up on the running environment, by its outputs, and ask it from every node
	@$(LAB) app --name $(NAME)

app-down: ## remove that application
	@$(LAB) app-down --name $(NAME)

check: ## lint, types, import layers and the tests that need no hypervisor
	@lab/bootstrap.sh $(PURPOSE)
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/basedpyright
	.venv/bin/lint-imports
	$(LAB) with-tools -- $(PYTHON) -m pytest -q -n auto $(STRICT)

# On a machine for tests nothing may be missing: its packages are installed, and a skipped test is a failed one.
test: PURPOSE = test
test: STRICT = -p tests.lab.strict
test: check ## check, then the tests with the real engine, libvirt and one booted machine
	$(LAB) with-tools -- $(PYTHON) -m pytest -m engine $(STRICT)

live: ## a whole environment through all its changes; half an hour where machines are emulated
	@lab/bootstrap.sh lab
	$(LAB) with-tools -- $(PYTHON) -m pytest -m live -s tests/live

live-trio: ## three control planes, and an address that moves; where machines are emulated, four cores or more
	@lab/bootstrap.sh lab
	$(LAB) with-tools -- $(PYTHON) -m pytest -m trio -s tests/live

live-fabric: ## BGP between nodes and a router, its failures, and changes of its topology; slow where machines are emulated
	@lab/bootstrap.sh lab
	$(LAB) with-tools -- $(PYTHON) -m pytest -m fabric -s tests/live/test_fabric.py

live-placement: ## two hypervisors: pins, queues, huge pages and disks of running machines as declared; a quarter of an hour where machines are emulated
	@lab/bootstrap.sh lab
	$(LAB) with-tools -- $(PYTHON) -m pytest -m placed -s tests/live/test_placement.py

live-verify: ## verify a lab that is well, then broken in each way that a check knows; an hour where machines are emulated
	@lab/bootstrap.sh lab
	$(LAB) with-tools -- $(PYTHON) -m pytest -m proof -s tests/live/test_verify.py

clean: down ## `make down`, and remove caches of checks in the checkout (not ~/.cache/underlay)
	@rm -rf .pytest_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
