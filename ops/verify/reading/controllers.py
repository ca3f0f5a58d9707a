"""Ingress controllers as they run: NGINX's directives in force, and what their logs say of temporary files."""

import re
from typing import Any

from ops.verify.model import Probe, Seen
from ops.verify.programs import program
from ops.verify.reading.document import mapping, mappings, node_json
from plan import NodePlan, Plan
from plan.ingress import IngressPlan
from render.ingress.server import nginx_conf

CONTAINERS = {"ingress-nginx": ["controller"], "f5-nginx": ["nginx-ingress"], "configmap-only": ["controller", "nginx-ingress"]}
"""Names of the controllers' containers in the manifests as published; somebody else's are most likely one of these."""
DIRECTIVES = (
    *("worker_processes", "worker_rlimit_nofile", "worker_shutdown_timeout", "worker_connections", "multi_accept"),
    *("keepalive_timeout", "keepalive_requests", "keepalive", "client_header_buffer_size", "client_header_timeout", "large_client_header_buffers"),
    *("client_body_buffer_size", "client_body_timeout", "client_max_body_size", "http2_max_concurrent_streams"),
    *("gzip_comp_level", "gzip_min_length", "ssl_protocols", "ssl_session_timeout", "ssl_session_tickets", "ssl_buffer_size"),
    *("proxy_connect_timeout", "proxy_send_timeout", "proxy_read_timeout", "proxy_buffering", "proxy_buffer_size", "proxy_buffers"),
    *("proxy_busy_buffers_size", "proxy_max_temp_file_size", "proxy_request_buffering", "set_real_ip_from"),
)
"""What the ConfigMap's knobs reach."""
PHRASES = {
    "responses": "an upstream response is buffered to a temporary file",
    "requests": "a client request body is buffered to a temporary file",
}
"""NGINX's own words (ngx_event_pipe.c, ngx_http_request_body.c)."""
LINES = 400
"""Different lines of these directives that one controller may have: applications add their own by annotations."""
SIZE, TIME = re.compile(r"(\d{1,12})([kKmMgG])"), re.compile(r"(\d{1,9})(ms|[smh])")
BYTES, SECONDS = {"k": 1024, "m": 1024**2, "g": 1024**3}, {"s": 1.0, "m": 60.0, "h": 3600.0, "ms": 0.001}
Directive = tuple[str, ...]


def _script(plan: Plan, node: NodePlan) -> str:
    ingress = plan.ingress
    if ingress is None or node.name not in ingress.nodes:
        return "echo '{}'"
    words: dict[str, Any] = {"directives": DIRECTIVES, "phrases": PHRASES, "most": LINES}
    return program("ingress", {"namespace": ingress.namespace, "containers": CONTAINERS[ingress.controller], **words})


CONTROLLER = Probe(key="ingress-controller", script=_script, timeout_s=60)


def wanted(ingress: IngressPlan) -> set[Directive]:
    """What should be in force; where a value is NGINX's own choice, none is named."""
    found = {directive(line) for line in nginx_conf(ingress).splitlines() if line.split() and line.split()[0] in DIRECTIVES}
    return found - {("worker_processes", "auto")}


def directive(line: str) -> Directive:
    """A line's words, sizes in bytes and times in seconds, so that 1m and 1024k, 60s and 1m are the same."""
    name, *words = line.strip().rstrip(";").split() or [""]
    timed = "timeout" in name
    return (name, *(_time(word) if timed else _size(word) for word in words))


def _size(word: str) -> str:
    found = SIZE.fullmatch(word)
    return str(int(found[1]) * BYTES[found[2].lower()]) if found else word


def _time(word: str) -> str:
    found = TIME.fullmatch(word)
    return f"{int(found[1]) * SECONDS[found[2]]:g}" if found else word


def in_force(controller: dict[str, Any]) -> dict[str, set[Directive]]:
    """A controller's directives by name."""
    found: dict[str, set[Directive]] = {}
    for line in mapping(controller.get("directives")):
        words = directive(line)
        found.setdefault(words[0], set()).add(words)
    return found


def report(seen: Seen, node: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """What a node says of its controllers, they themselves, and why nothing is known."""
    document, why = node_json(seen, node, CONTROLLER.key)
    return mapping(document), mappings(mapping(document).get("controllers")), why
