"""What a change of settings reaches, and what it must not reach."""

from collections.abc import Iterator

import pytest
import yaml
from render_plans import CA_HASH, KEY, TOKEN, full, lab, node

from plan import Plan
from render import kube_proxy, kubeadm, node_files, scripts, seed
from render.text import put, shell_pattern

FULL = full()
SECRET_FILES = {"/etc/kubernetes/pki/ca.key": "CA PRIVATE KEY\n"}


def steps(plan: Plan) -> Iterator[tuple[str, str]]:
    """Every script that `up` runs again when it changes, by node and step; kubeadm's own run once for each machine."""
    for each in plan.nodes:
        yield f"{each.name} prepare", scripts.prepare(plan, each, authorized_key=KEY)
        yield f"{each.name} ready", scripts.ready(plan, each)
        yield f"{each.name} member", scripts.member(plan, each)
        yield f"{each.name} schedulable", scripts.schedulable(plan, each)
        yield f"{each.name} pki", scripts.pki(plan, each, files=SECRET_FILES)
        yield f"{each.name} seed", seed.user_data(each, host_key="K", host_key_public="P", authorized_key=KEY) + seed.network_config(plan, each)


def changed(before: Plan, after: Plan) -> set[str]:
    """The steps of nodes that are in both plans and differ."""
    old, new = dict(steps(before)), dict(steps(after))
    return {name for name in old.keys() & new.keys() if old[name] != new[name]}


def test_a_change_of_the_scheduler_touches_no_node() -> None:
    after = full(kube_proxy__ipvs={"scheduler": "mh"})
    assert changed(FULL, after) == set()
    assert kube_proxy.checksum(kube_proxy.config(FULL)) != kube_proxy.checksum(kube_proxy.config(after))


def test_more_tracked_connections_touch_only_the_preparation_of_nodes() -> None:
    after = full(node__conntrack={"max_entries": 4_194_304, "tcp_be_liberal": True})
    assert changed(FULL, after) == {f"{each.name} prepare" for each in FULL.nodes}
    assert kube_proxy.config(FULL) == kube_proxy.config(after)


def test_another_worker_touches_no_other_node() -> None:
    assert changed(FULL, full(workers__web__count=5)) == set()


def test_growing_to_three_control_planes_touches_no_node_that_is_there() -> None:
    assert changed(full(control_plane__count=1), FULL) == set()


def test_labels_touch_only_the_membership_of_their_nodes() -> None:
    after = full(workers__web__labels={"example.net/tier": "db"})
    assert changed(FULL, after) == {f"{each.name} member" for each in FULL.workers}


def test_the_configuration_of_kube_proxy_is_rendered_once() -> None:
    documents = list(yaml.safe_load_all(kubeadm.init_config(FULL, FULL.nodes[0], token=TOKEN)))
    in_kubeadm = next(document for document in documents if document["kind"] == "KubeProxyConfiguration")
    assert kube_proxy.config_map_data(FULL) == {"config.conf": kube_proxy.config(FULL)}
    assert yaml.safe_load(kube_proxy.config(FULL)) == in_kubeadm


@pytest.mark.parametrize("mode", ["ipvs", "nftables", "iptables"])
def test_kube_proxy_gets_the_section_of_its_mode_and_no_other(mode: str) -> None:
    document = yaml.safe_load(kube_proxy.config(full(kube_proxy__mode=mode)))
    assert {name for name in ("ipvs", "nftables", "iptables") if name in document} == {mode}


@pytest.mark.parametrize(("version", "gated"), [("1.36.3", False), ("1.39.0", False), ("1.40.0", True)])
def test_the_feature_gate_is_turned_on_where_kubernetes_has_it_off(version: str, gated: bool) -> None:
    document = yaml.safe_load(kube_proxy.config(full(cluster__kubernetes_version=version)))
    assert document.get("featureGates") == ({"KubeProxyIPVS": True} if gated else None)


@pytest.mark.parametrize("plan", [FULL, lab()], ids=["full", "lab"])
def test_secrets_are_only_where_they_belong(plan: Plan) -> None:
    for name, text in steps(plan):
        assert TOKEN not in text, name
        assert ("CA PRIVATE KEY" in text) == name.endswith(" pki"), name


def test_the_bootstrap_token_does_not_expire_and_is_never_printed() -> None:
    init = next(iter(yaml.safe_load_all(kubeadm.init_config(FULL, FULL.nodes[0], token=TOKEN))))
    assert [token["ttl"] for token in init["bootstrapTokens"]] == ["0s"]
    assert "show-join-command" in init["skipPhases"]
    assert "--skip-token-print" in scripts.init(FULL, FULL.nodes[0], token=TOKEN)


def test_the_join_trusts_one_authority_only() -> None:
    for hash_value in (CA_HASH, f"sha256:{CA_HASH}"):
        discovery = yaml.safe_load(kubeadm.join_config(FULL, node(FULL, "web-1"), token=TOKEN, ca_hash=hash_value))["discovery"]["bootstrapToken"]
        assert discovery["caCertHashes"] == [f"sha256:{CA_HASH}"]
        assert "unsafeSkipCAVerification" not in discovery


def test_only_control_planes_join_as_such() -> None:
    for each in FULL.nodes[1:]:
        document = yaml.safe_load(kubeadm.join_config(FULL, each, token=TOKEN, ca_hash=CA_HASH))
        assert ("controlPlane" in document) == each.is_control_plane
        assert document["nodeRegistration"]["name"] == each.name


def test_the_controller_manager_gets_no_readiness_probe() -> None:
    patches = {name: yaml.safe_load(text)["spec"]["containers"][0] for name, text in kubeadm.static_pod_patches(lab()).items()}
    assert "readinessProbe" not in patches["kube-controller-manager+strategic.yaml"]
    assert patches["etcd+strategic.yaml"]["readinessProbe"] == {"periodSeconds": 15}
    assert kubeadm.static_pod_patches(FULL) == {}
    assert "patches:" not in kubeadm.init_config(FULL, FULL.nodes[0], token=TOKEN)


def test_a_seed_holds_an_identity_and_nothing_of_the_cluster() -> None:
    each = FULL.nodes[0]
    text = seed.user_data(each, host_key="HOSTKEY", host_key_public="P", authorized_key=KEY)
    assert set(yaml.safe_load(text)) <= {
        "hostname", "fqdn", "preserve_hostname", "manage_etc_hosts", "disable_root", "ssh_pwauth", "ssh_deletekeys", "ssh_keys",
        "ssh_authorized_keys", "package_update", "package_upgrade",
    }  # fmt: skip
    assert seed.meta_data(each) == seed.meta_data(node(full(node__conntrack={"max_entries": 131072}), "cp-1"))


def test_the_modules_hold_every_scheduler_and_all_that_is_required() -> None:
    names = node_files.modules(FULL)
    assert {f"ip_vs_{scheduler}" for scheduler in ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh")} <= set(names)
    assert set(node_files.required_modules(FULL)) <= set(names)
    assert "vfio_pci" in node_files.required_modules(FULL)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/7.rp_filter", "net/ipv4/conf/eth0.7/rp_filter"),
        ("net/ipv4/conf/eth0.7/rp_filter", "net/ipv4/conf/eth0.7/rp_filter"),
    ],
)
def test_a_sysctls_first_separator_says_which_one_separates(name: str, path: str) -> None:
    assert node_files.Sysctl(name=name, value="1", reason="test").path == path


@pytest.mark.parametrize(("entries", "bits"), [(65_536, 14), (131_072, 15), (1_048_576, 18), (16_777_216, 20)])
def test_the_connection_table_of_ipvs_follows_the_one_number(entries: int, bits: int) -> None:
    assert node_files.conn_tab_bits(full(node__conntrack={"max_entries": entries}, control_plane__memory_mib=65_536)) == bits


def test_a_text_cannot_end_its_here_document() -> None:
    with pytest.raises(ValueError, match="holds the end mark"):
        put("0600", "/x", "a\nUNDERLAY_END_OF_FILE\nrm -rf /\n")


def test_only_the_star_of_a_pattern_is_live() -> None:
    assert shell_pattern("/proc/sys/a b/*/$(x)") == "'/proc/sys/a b/'*'/$(x)'"


def test_an_external_endpoint_needs_no_keepalived() -> None:
    plan = full(cluster__endpoint={"address": "10.20.0.10", "held_by": "external"})
    paths = {file.path for file in node_files.node_files(plan, plan.nodes[0], authorized_key=KEY)}
    assert not any("keepalived" in path or "check-api" in path for path in paths)
