"""The controller's ConfigMap is what the stack says, and NGINX runs with it."""

from collections.abc import Iterator

from ops.verify.model import Check, Figure, Finding, Seen, missing
from ops.verify.reading.controllers import CONTROLLER, Directive, in_force, report, wanted
from ops.verify.reading.document import at, listed, mapping, name_of, text
from ops.verify.reading.findings import counted, failed, passed, several, skipped
from plan import Plan
from plan.ingress import IngressPlan
from render.ingress import config, f5

CONFIG_ID, EFFECTIVE_ID, FILES_ID = "ingress.config-map", "ingress.effective", "ingress.temporary-files"
CONFIG_MAPS = "/api/v1/configmaps"


def _declared(plan: Plan) -> bool:
    return plan.ingress is not None


def config_map(seen: Seen) -> Iterator[Finding]:
    """Key by key; beside somebody else's controller there may be more."""
    ingress = seen.plan.ingress
    if ingress is None:
        return
    place = f"{ingress.namespace}/{ingress.config_map}"
    items, why = listed(seen, CONFIG_MAPS)
    if why:
        yield missing(CONFIG_ID, "cluster", why)
        return
    found = next((item for item in items if name_of(item) == ingress.config_map and at(item, "metadata", "namespace") == ingress.namespace), None)
    entries = f5.entries(ingress) if ingress.controller == "f5-nginx" else config.entries(ingress)
    declared = f"ConfigMap {place}: {counted(len(entries), 'key')}"
    problems = (
        ["it is not there"]
        if found is None
        else list(_unlike(ingress, entries, {key: text(value) for key, value in mapping(found.get("data")).items()}))
    )
    if problems:
        yield failed(CONFIG_ID, "cluster", declared, several(problems), "run `pulumi up`, which writes the keys as declared")
    else:
        yield passed(CONFIG_ID, "cluster", declared, "as declared")


def _unlike(ingress: IngressPlan, entries: dict[str, str], found: dict[str, str]) -> Iterator[str]:
    for key, value in entries.items():
        if found.get(key) != value:
            yield f"{key} is {found.get(key, 'unset')!r}, declared {value!r}"
    if ingress.controller != "configmap-only":
        yield from (f"{key} is {found[key]!r}, and the stack does not set it" for key in sorted(found.keys() - entries.keys()))


def effective(seen: Seen) -> Iterator[Finding]:
    """Every controller's NGINX, by what it says itself (nginx -T)."""
    for node, controllers in _controllers(seen, EFFECTIVE_ID):
        if isinstance(controllers, Finding):
            yield controllers
            continue
        ingress = seen.plan.ingress
        assert ingress is not None  # noqa: S101 - the check does not apply else
        expected = wanted(ingress)
        problems = [problem for controller in controllers for problem in _not_in_force(expected, in_force(controller))]
        declared = f"{counted(len(expected), 'directive')} as the ConfigMap makes them (python -m ops ingress --nginx-conf)"
        if any(not in_force(controller) for controller in controllers):
            yield missing(EFFECTIVE_ID, node, "a controller here does not say its configuration (nginx -T)")
        elif problems:
            remedy = "see the controller's log for the key that it refused: it keeps its old configuration then; restart it if it read none"
            yield failed(EFFECTIVE_ID, node, declared, several(problems), remedy)
        else:
            yield passed(EFFECTIVE_ID, node, declared, f"{counted(len(controllers), 'controller')} with these values")


def _not_in_force(expected: set[Directive], found: dict[str, set[Directive]]) -> Iterator[str]:
    """Values that are nowhere in force though their directive is: applications may have others beside them, by annotation."""
    for words in sorted(expected):
        others = found.get(words[0], set())
        if others and words not in others:
            yield f"{words[0]} is {' / '.join(sorted(' '.join(other[1:]) for other in others)[:2])}, declared {' '.join(words[1:])}"


def temporary_files(seen: Seen) -> Iterator[Finding]:
    """What the controllers' logs say of responses and requests that did not fit memory."""
    declared = "responses and requests are kept in memory"
    for node, controllers in _controllers(seen, FILES_ID):
        if isinstance(controllers, Finding):
            yield controllers
            continue
        said = report(seen, node)[0]
        responses, requests = (_count(at(said, "counts", name)) for name in ("responses", "requests"))
        if responses is None or requests is None or not _count(said.get("logs")):
            yield missing(FILES_ID, node, "no log of a controller was read")
            continue
        figures = (
            Figure(name="responses in temporary files", value=responses, unit="responses", limit=0),
            Figure(name="requests in temporary files", value=requests, unit="requests", limit=0),
        )
        if responses or requests:
            found = f"{responses} responses and {requests} requests went to temporary files, by the logs that the node keeps"
            remedy = (
                "declare ingress.expected_response_kib as large as the responses are (python -m ops ingress), or nginx.client_body_buffer_size_kib"
            )
            yield failed(FILES_ID, node, declared, found, remedy, *figures)
        else:
            yield passed(FILES_ID, node, declared, "no temporary file in the logs that the node keeps", *figures)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _controllers(seen: Seen, check: str) -> Iterator[tuple[str, "list[dict[str, object]] | Finding"]]:
    """Controllers of each node that may run one; a finding where there is none to ask."""
    ingress = seen.plan.ingress
    if ingress is None:
        return
    anywhere = False
    for node in ingress.nodes:
        _, controllers, why = report(seen, node)
        if why:
            yield node, missing(check, node, why)
        elif controllers:
            anywhere = True
            yield node, controllers
    if not anywhere and ingress.controller == "configmap-only":
        yield "cluster", skipped(check, "cluster", "no controller of this ConfigMap runs on the nodes")
    elif not anywhere:
        words = f"no controller runs on {', '.join(ingress.nodes[:4])}{' ...' if len(ingress.nodes) > 4 else ''}, where the stack wants {ingress.settings.replicas}"
        yield "cluster", missing(check, "cluster", words)


CHECKS: tuple[Check, ...] = (
    Check(
        id=CONFIG_ID,
        area="ingress",
        title="The controller's ConfigMap is as declared",
        severity="error",
        judge=config_map,
        api_paths=(CONFIG_MAPS,),
        applies=_declared,
    ),
    Check(
        id=EFFECTIVE_ID,
        area="ingress",
        title="NGINX runs with the values of its ConfigMap",
        severity="error",
        judge=effective,
        probes=(CONTROLLER,),
        applies=_declared,
    ),
    Check(
        id=FILES_ID,
        area="ingress",
        title="Responses and requests fit memory",
        severity="warning",
        judge=temporary_files,
        probes=(CONTROLLER,),
        applies=_declared,
    ),
)
