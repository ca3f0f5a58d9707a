"""kube-proxy's configuration as declared, in the cluster's ConfigMap and as each kube-proxy runs with it."""

from collections.abc import Iterator
from typing import Any

from ops.verify.model import Finding, Seen
from ops.verify.reading.answers import Sections, Verdict, each_node
from ops.verify.reading.document import differences, from_json, from_yaml, mapping
from ops.verify.reading.scripts import KUBE_PROXY
from plan import NodePlan, Plan
from render.kube_proxy import CONFIG_KEY, config_document

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/kube-proxy"
ROLL = "kubectl --namespace kube-system rollout restart daemonset/kube-proxy"
CONNTRACK_FIELD = "conntrack"


def declared_fields(plan: Plan, *, conntrack: bool) -> dict[str, Any]:
    """The part of KubeProxyConfiguration that one of the two checks is about."""
    document = config_document(plan)
    return {name: value for name, value in document.items() if (name == CONNTRACK_FIELD) is conntrack}


def in_config_map(check: str, declared: dict[str, Any], what: str, seen: Seen) -> Finding:
    """Whether the cluster's ConfigMap says what is declared."""
    verdict = Verdict(check=check, where="cluster", declared=what, remedy=f"pulumi up --refresh, then: {ROLL}")
    if CONFIG_MAP not in seen.api:
        return verdict.missing(seen.api_errors.get(CONFIG_MAP, "the API was not asked for ConfigMap kube-system/kube-proxy"))
    text = mapping(mapping(seen.api[CONFIG_MAP]).get("data")).get(CONFIG_KEY)
    document = from_yaml(text) if isinstance(text, str) else None
    if not mapping(document):
        return verdict.missing(f"ConfigMap kube-system/kube-proxy has no {CONFIG_KEY} that is a configuration")
    return verdict.of([f"the ConfigMap's {line}" for line in differences(declared, document)], "the ConfigMap says the same")


def in_kube_proxy(check: str, declared: dict[str, Any], what: str, seen: Seen) -> Iterator[Finding]:
    """Whether each kube-proxy runs with what is declared."""

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        verdict = Verdict(check=check, where=node.name, declared=what, remedy=f"pulumi up, then: {ROLL}")
        configz = said.text("configz")
        running = mapping(from_json(configz or "")).get("kubeproxy.config.k8s.io")
        if configz is None or not mapping(running):
            yield verdict.missing(f"kube-proxy does not say its configuration: {said.why('configz') if configz is None else 'it is no JSON'}")
            return
        lines = differences(declared, running)
        yield verdict.of([f"the running kube-proxy's {line}" for line in lines], "the running kube-proxy has the same")

    yield from each_node(check, KUBE_PROXY, judge, seen)
