"""kube-proxy's configuration: what the ConfigMap says, and what each kube-proxy runs with."""

from collections.abc import Iterator

from ops.verify.model import Check, Finding, Seen
from ops.verify.reading.kube_proxy import CONFIG_MAP, declared_fields, in_config_map, in_kube_proxy
from ops.verify.reading.scripts import KUBE_PROXY

CHECK = "services.configuration"
MODE_FIELD = "mode"


def _configuration(seen: Seen) -> Iterator[Finding]:
    declared = declared_fields(seen.plan, conntrack=False)
    settings = seen.plan.settings.kube_proxy
    detail = f", scheduler {settings.ipvs.scheduler}" if settings.mode == "ipvs" else ""
    what = f"mode {settings.mode}{detail} and the rest of kube_proxy"
    yield in_config_map(CHECK, declared, what, seen)
    # the mode itself is services.mode's on each node
    yield from in_kube_proxy(CHECK, {name: value for name, value in declared.items() if name != MODE_FIELD}, what, seen)


CHECKS: tuple[Check, ...] = (
    Check(
        id=CHECK,
        area="services",
        title="kube-proxy's ConfigMap and every running kube-proxy have the declared configuration",
        severity="error",
        judge=_configuration,
        probes=(KUBE_PROXY,),
        api_paths=(CONFIG_MAP,),
    ),
)
