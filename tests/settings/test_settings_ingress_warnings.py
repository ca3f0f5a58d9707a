"""The ingress: legal choices that warn, each with its lines and no others."""

import pytest
import yaml

from tests.settings.documents import Tree
from tests.settings.ingress_environments import SUM, warnings

CASES: dict[str, tuple[str, list[str]]] = {
    "a Kubernetes that it was never tested with": (
        "{ cluster: { kubernetes_version: 1.36.3 } }",
        [
            (
                "ingress.controller: is ingress-nginx 1.15.1, tested with Kubernetes 1.31 to 1.35, not with 1.36: "
                "choose a tested pair, or try it in a lab first"
            )
        ],
    ),
    "another version": (
        f"{{ ingress: {{ version: 1.14.5, manifest: {{ source: deploy.yaml, sha256: {SUM} }} }} }}",
        [("ingress.version: is 1.14.5: keys, defaults and objects are known of 1.15.1; compare its release notes, and try it in a lab first")],
    ),
    "one replica": ("{ ingress: { replicas: 1 } }", ["ingress.replicas: is 1: nothing answers while its node is missing; write 2 or more"]),
    "one replica with the ports of one node": (
        "{ ingress: { replicas: 1, nodes: { kubernetes.io/hostname: small-worker-1 }, exposure: { kind: host-network } } }",
        [("ingress.replicas: is 1 on the ports of one node: nothing answers while it is replaced, or its node is missing; name more nodes, write 2")],
    ),
    "more replicas than nodes": (
        "{ ingress: { replicas: 3, nginx: { worker_processes: 2 } } }",
        [("ingress.replicas: is 3 on 2 nodes that may run one: 2 share a node and are lost with it; write fewer, or widen ingress.nodes")],
    ),
    "workers of two replicas on one node": (
        "{ ingress: { nodes: { kubernetes.io/hostname: small-worker-1 } } }",
        [
            "ingress.replicas: is 2 on 1 node that may run one: 2 share a node and are lost with it; write fewer, or widen ingress.nodes",
            "ingress.cpu_limit_millis: is unset with 2 replicas on a node: each starts a worker for every CPU of it; write nginx.worker_processes",
        ],
    ),
    "no room for the loss of one": (
        "{ ingress: { expected_connections: 40000 } }",
        [
            (
                "ingress.expected_connections: is 40000, but with one replica missing the others carry 32768; add a replica, "
                "or raise nginx.max_worker_connections"
            )
        ],
    ),
    "what the installer of another would use": (
        "{ ingress: { controller: configmap-only, namespace: edge, config_map: tuning, drain_s: 60, default_class: true, memory_request_mib: 512 } }",
        [
            "ingress.default_class: is ignored: controller is configmap-only; remove it",
            "ingress.memory_request_mib: is ignored: controller is configmap-only; remove it",
            "ingress.drain_s: is ignored: controller is configmap-only; remove it",
        ],
    ),
    "PROXY protocol at an announced address": (
        "{ ingress: { exposure: { proxy_protocol: [10.30.0.0/24] } } }",
        [
            (
                "ingress.exposure.proxy_protocol: is declared with kind load-balancer: clients that come to the announced address by themselves, "
                "pods among them, are refused; declare it where all come through a load balancer of yours"
            )
        ],
    ),
    "PROXY protocol believed to pods": (
        "{ ingress: { exposure: { kind: node-port, proxy_protocol: [10.30.0.0/24, 10.128.4.0/24] } } }",
        [
            (
                "ingress.exposure.proxy_protocol[1]: is 10.128.4.0/24, which overlaps pod_network.cidr 10.128.0.0/14: pods in it can claim any client's "
                "address; name the load balancers' own networks"
            )
        ],
    ),
    "no domain": (
        "{ ingress: { domain: null } }",
        ["ingress.domain: is missing: applications are told no domain for their names; name one whose DNS points at the controller"],
    ),
    "buffers beyond the memory limit": (
        "{ ingress: { memory_limit_mib: 1024, expected_response_kib: 256, nginx: { proxy_buffer_size_kib: 16 } } }",
        [
            (
                "ingress.memory_limit_mib: is 1024: 32768 clients with a response of 272 KiB in buffers each take 8704 MiB; raise it, "
                "lower max_worker_connections or the buffers, or declare expected_connections"
            )
        ],
    ),
    "buffers of the expected clients beyond the memory limit": (
        "{ ingress: { memory_limit_mib: 1024, expected_response_kib: 256, expected_connections: 10000, nginx: { proxy_buffer_size_kib: 16 } } }",
        [
            (
                "ingress.memory_limit_mib: is 1024: 5000 clients with a response of 272 KiB in buffers each take 1329 MiB; raise it, "
                "lower max_worker_connections or the buffers, or declare expected_connections"
            )
        ],
    ),
    "buffers beyond the node's memory": (
        "{ ingress: { expected_response_kib: 1024 } }",
        [
            (
                "ingress.memory_limit_mib: is unset: 32768 clients with a response of 1028 KiB in buffers each take 32896 MiB of the 16384 of "
                "small-worker-1; name one, lower max_worker_connections or the buffers, or declare expected_connections"
            )
        ],
    ),
    "buffers of two replicas beyond the node's memory": (
        "{ ingress: { replicas: 4, expected_response_kib: 300, nginx: { worker_processes: 2 } }, workers: { worker: { memory_mib: 8192 } } }",
        [
            "ingress.replicas: is 4 on 2 nodes that may run one: 2 share a node and are lost with it; write fewer, or widen ingress.nodes",
            (
                "ingress.memory_limit_mib: is unset: 2 times 16384 clients with a response of 304 KiB in buffers each take 9728 MiB of the 8192 of "
                "small-worker-1; name one, lower max_worker_connections or the buffers, or declare expected_connections"
            ),
        ],
    ),
    "more connections than the table has entries": (
        "{ ingress: { nginx: { max_worker_connections: 65536 } }, node: { conntrack: { max_entries: 131072 } } }",
        [
            (
                "ingress.nginx.max_worker_connections: lets 262144 connections onto a node (1 replica of 4 workers), whose table has 131072 entries "
                "(node.conntrack.max_entries): a full one drops everybody's packets; raise that, lower this or the workers, or declare expected_connections"
            )
        ],
    ),
    "buffers without buffering": (
        "{ ingress: { nginx: { proxy_buffers_number: 16, proxy_max_temp_file_size_mib: 0 } } }",
        [
            (
                "ingress.nginx.proxy_buffers_number: does nothing: proxy_buffering is off by default; write proxy_buffering: true, or declare "
                "expected_response_kib, or remove it"
            ),
            (
                "ingress.nginx.proxy_max_temp_file_size_mib: does nothing: proxy_buffering is off by default; write proxy_buffering: true, or declare "
                "expected_response_kib, or remove it"
            ),
        ],
    ),
    "compression that is off": (
        "{ ingress: { nginx: { use_gzip: false, gzip_level: 5 } } }",
        [
            "ingress.nginx.gzip_level: does nothing: use_gzip is off here; write use_gzip: true, or remove it",
            "ingress.nginx: says what ingress-nginx 1.15.1 does by itself: use_gzip false; it changes nothing",
        ],
    ),
    "streams of an HTTP/2 that is off": (
        "{ ingress: { nginx: { use_http2: false, http2_max_concurrent_streams: 64 } } }",
        ["ingress.nginx.http2_max_concurrent_streams: does nothing: use_http2 is off here; write use_http2: true, or remove it"],
    ),
    "large header buffers that are small": (
        "{ ingress: { nginx: { client_header_buffer_size_kib: 16, large_client_header_buffers: { number: 8 } } } }",
        [
            (
                "ingress.nginx.large_client_header_buffers.size_kib: is 8, less than the 16 of client_header_buffer_size_kib: a header that outgrows "
                "the first buffer finds no larger one; raise it"
            )
        ],
    ),
    "any body": (
        "{ ingress: { nginx: { proxy_body_size_mib: 0 } } }",
        [
            (
                "ingress.nginx.proxy_body_size_mib: is 0: a client may send a body of any size, which is written to the controller's disk before "
                "the application sees it; name a limit"
            )
        ],
    ),
    "connections that end at once": (
        "{ ingress: { nginx: { keep_alive_s: 0 } } }",
        ["ingress.nginx.keep_alive_s: is 0: each request of a client costs a connection, with TLS a handshake too; write some seconds"],
    ),
    "tickets for one replica": (
        "{ ingress: { nginx: { ssl_session_tickets: true } } }",
        [
            (
                "ingress.nginx.ssl_session_tickets: is true with 2 replicas: each makes a key of its own, and the others' tickets are worth nothing "
                "to it; leave it out"
            )
        ],
    ),
    "longer than the node remembers": (
        "{ ingress: { nginx: { keep_alive_s: 900 } }, node: { conntrack: { tcp_established_s: 600, tcp_close_wait_s: 60 } } }",
        [
            (
                "ingress.nginx.keep_alive_s: is 900, more than node.conntrack.tcp_established_s 600: clients' silent connections are forgotten before "
                "NGINX ends them, and what comes then is lost; lower it, or raise that"
            )
        ],
    ),
    "longer than IPVS remembers": (
        "{ ingress: { nginx: { proxy_read_timeout_s: 3600 } }, kube_proxy: { mode: ipvs }, cluster: { kubernetes_version: 1.34.1 } }",
        [
            (
                "ingress.nginx.proxy_read_timeout_s: is 3600, more than the 900 that IPVS keeps (kube_proxy.ipvs.tcp_timeout_s): clients' silent "
                "connections are forgotten before NGINX ends them, and what comes then is lost; lower it, or raise that"
            )
        ],
    ),
    "the tuning of 2019": (
        "{ ingress: { profile: reference } }",
        [
            (
                "ingress.nginx.upstream_keepalive_connections: is 32 (profile reference), less than the 320 that ingress-nginx 1.15.1 has by itself: "
                "connections to applications are opened anew where idle ones were kept; write 320, or choose another profile"
            ),
            "ingress.nginx: says what ingress-nginx 1.15.1 does by itself: keep_alive_s 75 (profile reference); it changes nothing",
        ],
    ),
    "less than the release has": (
        "{ ingress: { nginx: { keep_alive_requests: 100, max_worker_connections: 1024 } } }",
        [
            (
                "ingress.nginx.keep_alive_requests: is 100, less than the 1000 that ingress-nginx 1.15.1 has by itself: clients open connections anew "
                "more often; leave it out"
            ),
            (
                "ingress.nginx.max_worker_connections: is 1024, less than the 16384 that ingress-nginx 1.15.1 has by itself: fewer clients find room; "
                "leave it out"
            ),
        ],
    ),
    "what the release does anyway": (
        "{ ingress: { nginx: { keep_alive_s: 75, large_client_header_buffers: {}, ssl_protocols: [TLSv1.2, TLSv1.3] } } }",
        [
            (
                "ingress.nginx: says what ingress-nginx 1.15.1 does by itself: large_client_header_buffers 4 8, keep_alive_s 75, "
                "ssl_protocols TLSv1.2 TLSv1.3; it changes nothing"
            )
        ],
    ),
    "more workers than CPUs": (
        "{ ingress: { cpu_limit_millis: 2000, nginx: { worker_processes: 4 } } }",
        [("ingress.nginx.worker_processes: is 4 on 2 CPUs (cpu_limit_millis): they stop each other; leave it out, or raise the limit")],
    ),
    "fewer workers than CPUs": (
        "{ ingress: { cpu_limit_millis: 4000, nginx: { worker_processes: 2 } } }",
        ["ingress.nginx.worker_processes: is 2 on 4 CPUs (cpu_limit_millis): the others idle; leave it out, or lower the limit"],
    ),
    "workers that share a CPU": (
        "{ ingress: { cpu_limit_millis: 1500 } }",
        [
            "ingress.cpu_limit_millis: is 1500: 2 workers share 1.5 CPUs and are stopped when they are spent; write a multiple of 1000",
        ],
    ),
    "more workers than the node has CPUs": (
        "{ ingress: { nginx: { worker_processes: 8 } } }",
        ["ingress.nginx.worker_processes: is 8 on 4 vCPUs of small-worker-1: they wait for each other; lower it, or leave it out"],
    ),
    "files for connections alone": (
        "{ ingress: { nginx: { max_worker_open_files: 16384 } } }",
        [
            (
                "ingress.nginx.max_worker_open_files: is 16384, less than the 25600 that a full worker may need (connections, temporary files, "
                "1024 of its own); raise it, or leave it out"
            )
        ],
    ),
}


@pytest.mark.parametrize(("areas", "lines"), CASES.values(), ids=CASES.keys())
def test_a_costly_choice_of_the_ingress_warns_with_its_lines_and_no_others(areas: str, lines: list[str]) -> None:
    tree: Tree = yaml.safe_load(areas)
    assert warnings(tree.pop("ingress", {}), **tree) == lines
