"""A Service answers from every node: the API at its cluster address over TLS, and cluster DNS with the right address."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from ops.verify.model import Check, Figure, Finding, Probe, Seen
from ops.verify.reading.answers import PRELUDE, Sections, Verdict, each_node
from ops.verify.reading.document import number
from plan import NodePlan, Plan

API, DNS = "services.api-answers", "services.dns-answers"
PORT = 443
QUERY_ID = 0x7531
TRIES = 3
"""UDP may lose one."""


def question(plan: Plan) -> bytes:
    """A DNS query for the API's Service: one question, A, IN, recursion desired (RFC 1035)."""
    labels = f"kubernetes.default.svc.{plan.settings.cluster.dns_domain}".split(".")
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    return QUERY_ID.to_bytes(2, "big") + bytes.fromhex("01000001000000000000") + name + bytes.fromhex("00010001")


def _script(plan: Plan, _node: NodePlan) -> str:
    # dd gathers the query into one datagram: printf writes what stands before a newline's byte by itself
    written = "".join(f"\\x{byte:02x}" for byte in question(plan))
    return f"""{PRELUDE}
dns() {{
  local try answer
  for try in {" ".join(str(number) for number in range(1, TRIES + 1))}; do
    exec 3<>/dev/udp/{plan.dns_service}/53 || return 1
    printf '{written}' | dd bs=512 iflag=fullblock status=none >&3
    answer=$(timeout 4 dd bs=2048 count=1 status=none <&3 | od -An -v -tx1) || answer=''
    exec 3>&-
    [[ -z $answer ]] || {{ echo "$answer"; return 0; }}
  done
  echo "no answer in $try tries"
  return 1
}}
ask api curl --silent --show-error --output /dev/null --noproxy '*' --max-time 20 --cacert /etc/kubernetes/pki/ca.crt \\
  --write-out '%{{http_code}} %{{time_connect}} %{{time_appconnect}}' https://{plan.api_service}:{PORT}/readyz
ask dns dns
"""


PROBE = Probe(key="service-answers", script=_script, timeout_s=45)


def _api(seen: Seen) -> Iterator[Finding]:
    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        address = f"{seen.plan.api_service}:{PORT}"
        verdict = Verdict(
            check=API,
            where=node.name,
            declared=f"the Service default/kubernetes answers at {address}",
            remedy=f"see services.tables for {node.name}; then whether {node.name} reaches the control planes at "
            f"port {seen.plan.settings.cluster.endpoint.port}",
        )
        text = said.text("api")
        if text is None:
            # it was asked: that there is no answer is what the check is about
            yield verdict.of([said.why("api")], "") if "api" in said.failures else verdict.missing(said.why("api"))
            return
        words = text.split()
        if len(words) != 3 or (code := words[0]) == "000" or not code.isdigit():
            yield verdict.of([f"no answer over HTTPS ({' '.join(words)[:80]})"], "")
            return
        connect = number(words[1])
        figures = [Figure(name="connect to a Service", value=connect * 1000, unit="ms")] if connect else []
        yield verdict.of([], f"HTTP {code} from {address}", figures)

    yield from each_node(API, PROBE, judge, seen)


def _dns(seen: Seen) -> Iterator[Finding]:
    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        verdict = Verdict(
            check=DNS,
            where=node.name,
            declared=f"kube-dns at {seen.plan.dns_service} gives {seen.plan.api_service} for the Service default/kubernetes",
            remedy="kubectl --namespace kube-system get pods,endpointslices --selector k8s-app=kube-dns; then services.tables and the pods' routes",
        )
        text = said.text("dns")
        if text is None:
            yield verdict.of([said.why("dns")], "") if "dns" in said.failures else verdict.missing(said.why("dns"))
            return
        wrong = _wrong(text, seen.plan.api_service)
        yield verdict.of([wrong] if wrong else [], str(seen.plan.api_service))

    yield from each_node(DNS, PROBE, judge, seen)


def _wrong(text: str, wanted: IPv4Address) -> str:
    """What is wrong with a DNS answer in hex; empty where it holds the address."""
    try:
        answer = bytes.fromhex("".join(text.split()))
    except ValueError:
        return f"no DNS answer: {text.strip()[:80]}"
    if len(answer) < 12 or int.from_bytes(answer[:2], "big") != QUERY_ID or not answer[2] & 0x80:
        return "what came is no answer to the question"
    if code := answer[3] & 0x0F:
        return f"DNS answers with code {code}{' (SERVFAIL)' if code == 2 else ' (NXDOMAIN)' if code == 3 else ''}"
    # type A, class IN, four bytes: an answer's fixed part, whatever its TTL
    addresses = [answer[place + 10 : place + 14] for place in range(12, len(answer) - 13) if _is_address(answer, place)]
    return "" if wanted.packed in addresses else f"DNS answers without {wanted}"


def _is_address(answer: bytes, place: int) -> bool:
    return answer[place : place + 4] == b"\0\1\0\1" and answer[place + 8 : place + 10] == b"\0\4"


CHECKS: tuple[Check, ...] = (
    Check(
        id=API,
        area="services",
        title="The API's Service answers from every node",
        severity="error",
        judge=_api,
        probes=(PROBE,),
    ),
    Check(
        id=DNS,
        area="services",
        title="Cluster DNS answers every node at its Service's address",
        severity="error",
        judge=_dns,
        probes=(PROBE,),
    ),
)
