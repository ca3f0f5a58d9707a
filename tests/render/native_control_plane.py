"""Control planes without machines: real etcd, API server and keepalived on what render/ writes, each node in a network namespace of its own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from node_sandbox import Sandbox

from plan import NodePlan, Plan
from render import kubeadm

TOKEN = "abcdef.0123456789abcdef"
ENCRYPTION_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
PROGRAMS = ("kubeadm", "kubectl", "kube-apiserver", "kube-proxy", "etcd")


def until(what: str, condition: Callable[[], bool], seconds: float = 60) -> float:
    """Waits until something is so; gives the seconds that it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() < begin + seconds, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return time.monotonic() - begin


class Link:
    """The node network: a bridge, and a namespace with an eth0 for each node."""

    def __init__(self) -> None:
        self._holders: list[subprocess.Popen[bytes]] = []
        self._bridge = self._namespace()
        self._in(self._bridge, "ip", "link", "add", "br0", "type", "bridge")
        self._in(self._bridge, "ip", "link", "set", "br0", "up")

    def attach(self, node: NodePlan) -> int:
        """A namespace for the node; gives the process that holds it."""
        holder = self._namespace()
        port = f"p{node.number}"
        self._in(self._bridge, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(holder))
        self._in(self._bridge, "ip", "link", "set", port, "master", "br0", "up")
        self._in(holder, "ip", "link", "set", "lo", "up")
        self._in(holder, "ip", "addr", "add", f"{node.address}/{node.prefix}", "dev", "eth0")
        self._in(holder, "ip", "link", "set", "eth0", "up")
        return holder

    def close(self) -> None:
        """Lets the namespaces go."""
        for holder in self._holders:
            holder.kill()
            holder.wait()

    def _namespace(self) -> int:
        holder = subprocess.Popen(["unshare", "--net", "--", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE)
        self._holders.append(holder)
        assert holder.stdout is not None
        with holder.stdout as said:
            said.readline()  # it is in its namespace now
        return holder.pid

    @staticmethod
    def _in(holder: int, *command: str) -> None:
        subprocess.run(["nsenter", f"--net=/proc/{holder}/ns/net", "--", *command], check=True, capture_output=True)


@dataclass
class Node:
    """One control plane: its root folder, its namespace, its servers."""

    plan: Plan
    node: NodePlan
    sandbox: Sandbox
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, subprocess.Popen[bytes]])

    def run(self, *command: str) -> str:
        """Runs a program on the node and gives its output."""
        done = self.sandbox.run_program(*command)
        assert done.code == 0, f"{' '.join(command)}: {done.err}"
        return done.out

    def curl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The real curl, on the node."""
        return subprocess.run(
            self.sandbox.command("/usr/bin/curl", "-sS", "--max-time", "10", *arguments), text=True, capture_output=True, check=False
        )

    def start(self, name: str, *command: str) -> None:
        """Starts a server on the node."""
        with (self.sandbox.root / "var/log" / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                self.sandbox.command(*command), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def stop(self, name: str) -> None:
        """Ends a server and all that it started at once, as a power cut does."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        """The end of a server's log."""
        return (self.sandbox.root / "var/log" / f"{name}.log").read_text()[-3000:]

    def etcd(self, call: str, content: dict[str, Any]) -> dict[str, Any]:
        """A call of the JSON gateway of the node's own etcd."""
        pki = "/etc/kubernetes/pki/etcd"
        keys = ("--cacert", f"{pki}/ca.crt", "--cert", f"{pki}/healthcheck-client.crt", "--key", f"{pki}/healthcheck-client.key")
        done = self.curl("--fail", *keys, "--data", json.dumps(content), f"https://127.0.0.1:2379/v3/{call}")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def etcd_takes(self, call: str, content: dict[str, Any]) -> bool:
        """Whether etcd does not refuse the call."""
        try:
            self.etcd(call, content)
        except AssertionError:
            return False
        return True

    def members(self) -> set[str]:
        """Names of etcd's members."""
        return {member.get("name", "") for member in self.etcd("cluster/member/list", {})["members"]}

    def kubeadm(self, *phase: str) -> None:
        """A phase of kubeadm init with the node's configuration as rendered."""
        self.run("kubeadm", "init", "phase", *phase, "--config", "/etc/underlay/kubeadm.yaml")

    def start_etcd(self, founder: "Node | None" = None) -> None:
        """Starts the member with kubeadm's certificates and flags; joins the founder's cluster if there is one."""
        self.kubeadm("etcd", "local")
        command = self._static_pod("etcd")
        if founder is not None:
            peer = f"https://{self.node.address}:2380"
            # for five seconds after a member came etcd refuses the next one
            until("etcd takes the member", lambda: founder.etcd_takes("cluster/member/add", {"peerURLs": [peer]}), 30)
            answer = founder.etcd("cluster/member/list", {})
            cluster = ",".join(f"{member.get('name') or self.node.name}={member['peerURLs'][0]}" for member in answer["members"])
            command = [word for word in command if not word.startswith("--initial-cluster")] + [
                f"--initial-cluster={cluster}",
                "--initial-cluster-state=existing",
            ]
        self.start("etcd", *command)
        until(f"{self.node.name}'s etcd is healthy", lambda: self._etcd_is_healthy(), 30)

    def start_api_server(self) -> None:
        """Starts the API server with kubeadm's flags and waits for /readyz."""
        self.kubeadm("control-plane", "apiserver")
        self.start("kube-apiserver", *self._static_pod("kube-apiserver"))
        until(f"{self.node.name}'s API server is ready", self._api_is_ready, 90)

    def kubectl(self, *arguments: str, document: object = None) -> str:
        """kubectl as administrator; its output. `document` is what `--filename=/tmp/document` holds."""
        if document is not None:
            self.sandbox.write("tmp/document", json.dumps(document))
        return self.run("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", *arguments)

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object from the API."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def admit_administrators(self) -> None:
        """The binding that kubeadm init makes for the administrator's certificate."""
        self.kubeadm("kubeconfig", "super-admin")
        binding = ("create", "clusterrolebinding", "kubeadm:cluster-admins", "--clusterrole=cluster-admin", "--group=kubeadm:cluster-admins")
        self.run("kubectl", "--kubeconfig", "/etc/kubernetes/super-admin.conf", *binding)

    def hold_endpoint(self) -> None:
        """Takes the API's address, without keepalived."""
        self.run("ip", "addr", "add", f"{self.plan.settings.cluster.endpoint.address}/32", "dev", "eth0")

    def _etcd_is_healthy(self) -> bool:
        assert self.processes["etcd"].poll() is None, self.log("etcd")
        return '"health":"true"' in self.curl("http://127.0.0.1:2381/health").stdout

    def _api_is_ready(self) -> bool:
        assert self.processes["kube-apiserver"].poll() is None, self.log("kube-apiserver")
        return self.curl("-k", f"https://127.0.0.1:{self.plan.settings.cluster.endpoint.port}/readyz").stdout == "ok"

    def _static_pod(self, component: str) -> list[str]:
        manifest = yaml.safe_load(self.sandbox.read(f"etc/kubernetes/manifests/{component}.yaml"))
        return [str(word) for word in manifest["spec"]["containers"][0]["command"]]


class ControlPlanes:
    """Control planes of a plan on one link, made as they are asked for."""

    def __init__(self, plan: Plan, folder: Path, find: Callable[[str], str]) -> None:
        self.plan, self._folder, self._find = plan, folder, find
        self.nodes: dict[str, Node] = {}
        self.link = Link()

    def node(self, number: int, *, programs: tuple[str, ...] = PROGRAMS) -> Node:
        """The control plane of that number, from 1; its certificates come from the first one's authorities."""
        planned = self.plan.control_planes[number - 1]
        if planned.name not in self.nodes:
            holder = self.link.attach(planned)
            sandbox = Sandbox(self._folder / planned.name, network=f"/proc/{holder}/ns/net")
            sandbox.write("fake/real-proc", "")
            for fake in ("curl", "kubeadm", "nft", "iptables"):
                (sandbox.root / "local/sbin" / fake).unlink()
            (sandbox.root / "local/bin").mkdir()
            for name in programs:
                _place(Path(self._find(name)), sandbox.root / "local/bin" / name)
            self.nodes[planned.name] = Node(self.plan, planned, sandbox)
        return self.nodes[planned.name]

    def certificates(self, number: int) -> Node:
        """The node with its configuration, keys and certificates."""
        made = self.node(number)
        made.sandbox.write("etc/underlay/kubeadm.yaml", kubeadm.init_config(self.plan, made.node, token=TOKEN))
        made.sandbox.write(kubeadm.ENCRYPTION_FILE[1:], kubeadm.encryption_config(ENCRYPTION_KEY))
        if number > 1:
            source = self.nodes[self.plan.control_planes[0].name].sandbox.root / "etc/kubernetes/pki"
            for name in ("ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "etcd/ca.crt", "etcd/ca.key", "sa.key", "sa.pub"):
                target = made.sandbox.root / "etc/kubernetes/pki" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / name, target)
        made.kubeadm("certs", "all")
        made.kubeadm("kubeconfig", "admin")
        return made

    def close(self) -> None:
        """Ends everything."""
        for node in self.nodes.values():
            for name in list(node.processes):
                node.stop(name)
        self.link.close()


def _place(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)
