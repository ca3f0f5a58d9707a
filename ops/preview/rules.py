"""Which resource means what: the first rule whose type, owner and name fit explains a change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from ops.preview import calico, ingress, kube_proxy, resources
from ops.preview.document import Change
from ops.preview.effects import Meaning

Explain = Callable[[Change], Meaning]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Patterns of a resource's type, of the component it belongs to and of its name, and who explains its changes."""

    type: str
    owner: str = "*"
    name: str = "*"
    explain: Explain

    def fits(self, change: Change) -> bool:
        """Whether it is for this resource."""
        owner = change.parent.partition("::")[0]
        return all(_fits(value, pattern) for value, pattern in ((change.type, self.type), (owner, self.owner), (change.name, self.name)))


@lru_cache(maxsize=4096)
def _fits(value: str, pattern: str) -> bool:
    return fnmatchcase(value, pattern)


_AUTHORITIES: Final = "underlay:authorities:Authorities"
_CALICO: Final = "underlay:cluster:Calico"
_INGRESS: Final = "underlay:cluster:Ingress"
_V3: Final = "kubernetes:projectcalico.org/v3:"


def _says_nothing(_: Change) -> Meaning:
    """Components: what they are made of is said."""
    return Meaning()


RULES: Final[Sequence[Rule]] = (
    Rule(type="underlay:*", explain=_says_nothing),
    Rule(type="pulumi:pulumi:Stack", explain=_says_nothing),
    Rule(type="pulumi:providers:*", explain=resources.provider),
    Rule(type="kubernetes:core/v1:ConfigMapPatch", owner="underlay:cluster:KubeProxy", explain=kube_proxy.configuration),
    Rule(type=f"{_V3}BGPPeer", explain=calico.peer),
    Rule(type=f"{_V3}BGPConfiguration*", explain=calico.topology),
    Rule(type=f"{_V3}BGPFilter", explain=calico.bgp_filter),
    Rule(type=f"{_V3}IPPool*", explain=calico.pool),
    Rule(type=f"{_V3}FelixConfiguration*", explain=calico.felix),
    Rule(type="kubernetes:core/v1:NodePatch", owner=_CALICO, explain=calico.reflector),
    Rule(type="kubernetes:core/v1:ConfigMap", owner=_CALICO, name="*-configmap-calico-config", explain=calico.settings_map),
    Rule(type="kubernetes:core/v1:Secret", owner=_CALICO, name="*-underlay-bgp-passwords", explain=resources.bgp_passwords),
    Rule(type="kubernetes:core/v1:ConfigMap", owner=_INGRESS, explain=ingress.tuning),
    Rule(type="kubernetes:apps/v1:*", owner=_INGRESS, explain=ingress.workload),
    Rule(type="kubernetes:core/v1:Service", owner=_INGRESS, name="*-front", explain=ingress.front),
    Rule(type="kubernetes:apps/v1:Deployment*", explain=resources.workload),
    Rule(type="kubernetes:apps/v1:DaemonSet*", explain=resources.workload),
    Rule(type="kubernetes:*", explain=resources.kubernetes_object),
    Rule(type="tls:*", owner="underlay:authorities:Authority", explain=resources.authority),
    Rule(type="tls:*", owner="underlay:authorities:ServingCertificate", explain=resources.serving),
    Rule(type="tls:*", owner=_AUTHORITIES, name="*-admin-*", explain=resources.admin),
    Rule(type="tls:*", owner=_AUTHORITIES, name="*-service-accounts-key", explain=resources.authority),
    Rule(type="random:*", owner=_AUTHORITIES, name="*-encryption-key", explain=resources.authority),
    Rule(type="random:*", owner=_AUTHORITIES, name="*-token-*", explain=resources.token),
    Rule(type="tls:*", owner=_AUTHORITIES, explain=resources.key),
    Rule(type="libvirt:index/volume:Volume", owner="underlay:compute:Hypervisor", explain=resources.image),
    Rule(type="libvirt:index/pool:Pool", owner="underlay:compute:Hypervisor", explain=resources.storage_pool),
)


def explain(change: Change, nodes: Sequence[str]) -> Meaning:
    """What the change of one resource means. `nodes`: all nodes of the environment, where they are known."""
    if change.type == "kubernetes:apps/v1:DaemonSetPatch" and change.parent.startswith("underlay:cluster:KubeProxy::"):
        return kube_proxy.rollout(change, nodes)
    rule = next((rule for rule in RULES if rule.fits(change)), None)
    return rule.explain(change) if rule else resources.unknown(change)
