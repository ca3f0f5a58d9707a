"""The page of the rules: `python -m policy.document > docs/policies.md`."""

import sys
from collections.abc import Iterator
from typing import Final

from policy.rules import RULES

HEAD: Final = """# Policies

Rules over what a stack registers. The engine asks them for every resource, in the preview and before anything of it is made:

    python -m ops policy --levels --stack oslo > levels.json
    pulumi preview --stack oslo --policy-pack policy --policy-pack-config levels.json
    pulumi up --stack oslo --policy-pack policy --policy-pack-config levels.json

The same rules over a preview that was recorded, without an engine; `--show-sames`, because a resource is judged beside those that stay as they are:

    pulumi preview --stack oslo --json --show-sames > preview.json
    python -m ops policy preview.json

It ends with 0 (nothing to say), 10 (advice alone) or 40 (refused; also where the preview itself failed, because what that did not come to is not in the record). The levels are those of the settings in the record; `--stack NAME` takes them from the stack's file, `--json` gives one document. The engine does not show
what is secret, so a record says less than the engine sees: of an SSH connection it shows nothing, and `ssh-host-keys` is silent there. What is unknown in a preview is judged by the engine when `up` comes to it.

`make preview` and the workflows ([reviews.md](reviews.md)) use the pack. A refusal there looks like this:

    Policies:
        ❌ underlay@v0.1.0 (local: policy)
            - [mandatory]  residency-machines  (underlay:compute:Hypervisor: oslo-kvm1)
              Machines and their volumes stand in the allowed countries.
              hypervisor kvm1 stands in SE, allowed: NO (health data); place its machines and volumes on another, or correct its location

## How strict

A rule is `mandatory` (it refuses), `advisory` (it warns) or `disabled`. A stack's file says where its level is another than the rule's own:

    policies: { levels: { images-by-digest: advisory, residency-sources: advisory } }

An encapsulation needs a reason beside it (`pod_network.encapsulation.reason`), an overcommit its number (`cpu_policy.overcommit`), a resource without protection the setting that lifts it (`protection`): those are declared, not switched off.

## The pack's own environment

The engine runs `policy/` under `policy/.venv`, because pulumi-policy 1.21.0 asks for an older protobuf than Pulumi's SDK in the checkout's. `make` makes it; by hand:

    python3 -m venv policy/.venv && policy/.venv/bin/pip install --requirement policy/requirements.txt

Rules are plain functions of the standard library (`policy/rules/`): a resource and what was registered before it in, messages out. What no resource of a provider can say (where a hypervisor stands, which load is expected) underlay's components
register as inputs of their own (`components/facts.py`, read by `policy/facts.py`). pulumi-policy drops the marks of secrets before it asks a rule; `policy/__main__.py` keeps them.

## What it costs

A preview of 300 dedicated nodes on 40 hypervisors with Calico, 3851 resources, none of them there yet: 32 s of CPU more with the pack (187 s instead of 155 s, of the engine, the program, the lab's plugins and
the pack together), 36 s more on the clock (278 s instead of 242 s). Each once, at the lowest priority on two cores that emulated two machines beside it (load 6): the clock is that load's, the CPU is not.

## The rules

| Rule | Level | What must be |
|---|---|---|
"""


def document() -> str:
    """The whole page, as Markdown."""
    table = "".join(f"| [{rule.id}](#{rule.id}) | {rule.level} | {rule.demand} |\n" for rule in RULES)
    return HEAD + table + "".join(_sections())


def _sections() -> Iterator[str]:
    for rule in RULES:
        yield f"\n### {rule.id}\n\n{rule.demand} {rule.reason}\n\nSource: {rule.source}. Level: {rule.level}.\n"


if __name__ == "__main__":
    sys.stdout.write(document())
