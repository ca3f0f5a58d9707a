"""The forms of a summary: nothing secret in any of them, bounded, and what others wrote is no markup."""

import json
import re
import time
from collections.abc import Iterable

import pytest

from ops.preview import as_json, difference_text, markdown, plain_text
from ops.preview.document import read
from ops.preview.summary import Summary, summarise
from tests.ops import made_previews as made
from tests.ops.made_previews import Step

MARK = "swordfish-7731"
KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{MARK}\n-----END OPENSSH PRIVATE KEY-----\n"


WRAPPED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
"""The engine's signature of a secret (sdk/go/common/resource/sig)."""


def forms(text: str) -> dict[str, str]:
    summary = summarise(read(text), None)
    return {
        "markdown": markdown.write(summary, difference_text.lines(summary.changes)),
        "text": plain_text.write(summary),
        "json": as_json.write(summary),
    }


def hidden(before: object, after: object) -> str:
    return made.document(
        [made.step("update", "", "a:b:C", "thing", {"data": {"secret": before, "plain": "a"}}, {"data": {"secret": after, "plain": "b"}})]
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[secret]", MARK),  # it was secret, and somebody forgot to say so of its new value
        (MARK, "[secret]"),
        (KEY, KEY.replace("OPENSSH", "RSA")),
        ({"inner": "[secret]", "beside": MARK}, "gone"),
        ({**WRAPPED, "ciphertext": "[secret]"}, {**WRAPPED, "plaintext": f'"{MARK}"'}),
        ("a", {**WRAPPED, "plaintext": f'"{MARK}"'}),
        (["[secret]", "a"], {"one": MARK, "two": "[secret]"}),
    ],
    ids=["no longer secret", "newly secret", "a private key", "beside a secret", "wrapped", "newly wrapped", "of another form"],
)
def test_no_side_of_a_secret_is_shown_when_the_other_is_secret(before: object, after: object) -> None:
    for name, text in forms(hidden(before, after)).items():
        assert MARK not in text, name
    assert ("[secret]" in forms(hidden(before, after))["markdown"]) == (before != KEY and before != {**WRAPPED, "ciphertext": "[secret]"})
    assert "data.plain: b" in forms(hidden(before, after))["markdown"]


def test_a_secret_of_a_message_or_an_output_is_not_shown() -> None:
    outputs = ({"kubeconfig": "[secret]", "ssh": {"key": "[secret]"}}, {"kubeconfig": MARK, "ssh": {"key": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}})
    for text in forms(made.events([], outputs=outputs)).values():
        assert MARK not in text
        assert "kubeconfig" in text
    failed = made.document([], diagnostics=[{"message": f"error: cannot read {KEY}", "severity": "error"}])
    assert all(MARK not in text for text in forms(failed).values())


def test_a_secret_that_the_provider_says_changed_is_named() -> None:
    sides = ({"stdin": "[secret]"}, {"stdin": "[secret]"})
    step = made.step("update", made.NODE, made.COMMAND, "small-cp-1-pki", *sides, owner="small-cp-1", diffReasons=["stdin"])
    assert "stdin: [secret]" in forms(made.document([step]))["markdown"]
    assert "the cluster's keys and certificates are written again" in forms(made.document([step]))["text"]


def test_what_others_wrote_is_no_markup() -> None:
    evil = "</details> <script> @everyone `x` ``` | [a](b) **b** ~~c~~ #1"
    steps: list[Step] = [made.step("create", "", "a:b:C", evil, None, {})]
    steps.append(made.step("update", made.INGRESS, "kubernetes:core/v1:ConfigMap", "c", {"data": {"k": "v"}}, {"data": {"k": evil}}, owner="i"))
    diagnostics = [{"message": f"error: {evil}\n```\n# a heading", "severity": "error"}, {"message": f"warning: {evil}", "severity": "warning"}]
    text = forms(made.document(steps, diagnostics=diagnostics))["markdown"]
    assert _outside_of_code(text).count("</details>") == text.count("<details>") == 2
    for part in ("<script>", "@everyone", "**b**", "# a heading", "[a](b)", "#1"):
        assert part in evil or part == "# a heading"
        assert part not in re.sub(r"\\(.)", "", _outside_of_code(text)), part


def _outside_of_code(text: str) -> str:
    """What a reader of Markdown takes for markup: neither fenced nor inline code."""
    kept: list[str] = []
    fence = ""
    for line in text.splitlines():
        ticks = line[: len(line) - len(line.lstrip("`"))]
        if fence:
            fence = "" if line == fence else fence
        elif len(ticks) >= 3:
            fence = ticks
        else:
            kept.append(_without_spans(line.replace("\\`", "")))
    assert not fence, "a fence is left open"
    return "\n".join(kept)


def _without_spans(line: str) -> str:
    found = ""
    while "`" in line:
        before, _, rest = line.partition("`")
        ticks = "`" + rest[: len(rest) - len(rest.lstrip("`"))]
        inner, closed, after = rest[len(ticks) - 1 :].partition(ticks)
        if not closed:
            return f"{found}{before}{inner}"
        found, line = f"{found}{before}", after
    return found + line


def test_a_command_to_copy_is_inline_code() -> None:
    step = made.step("delete", "", "a:b:C", "disk_of_etcd", {}, None, old_protect=True)
    assert f"`pulumi state unprotect '{step['urn']}'`" in forms(made.document([step]))["markdown"]


def large(nodes: int) -> str:
    network = {"cidr": "10.20.0.0/16", "mtu": 1500}
    sides = [
        made.plan(
            hypervisors=made.hosts(nodes // 12 + 1),
            network={**network, "mtu": mtu},
            workers={"worker": {"count": nodes, "first_host": 21}},
            node={"conntrack": {"max_entries": entries}},
        )
        for mtu, entries in ((1500, 131072), (9000, 262144))
    ]
    return made.document([*made.seeds(*sides), *made.prepared(*sides), *made.proxied(*sides)])


@pytest.fixture(scope="module")
def of_300() -> str:
    return large(300)


def test_a_comment_of_300_nodes_is_quick_and_fits(of_300: str) -> None:
    start = time.process_time()
    found = forms(of_300)
    assert time.process_time() - start < 5
    assert len(found["markdown"].encode()) <= markdown.MOST_BYTES
    assert "small-worker-1 ... small-worker-300 (300)" in found["text"]
    assert len(found["text"].splitlines()) < 30
    assert "Cut here: a comment holds" in found["markdown"]
    assert found["markdown"].endswith("</details>\n")
    _outside_of_code(found["markdown"])


def test_nothing_makes_a_comment_too_long() -> None:
    steps: Iterable[Step] = (made.step("create", "", f"a:b:C{number}", f"{'x' * 400}-{number}x", None, {}) for number in range(500))
    diagnostics = [{"message": f"error: {'y' * 5000} {number}", "severity": "error"} for number in range(500)]
    text = forms(made.document(steps, diagnostics=diagnostics))["markdown"]
    assert len(text.encode()) <= markdown.MOST_BYTES
    assert "more lines" in text


def test_the_comment_is_found_again_by_its_first_line() -> None:
    summary = summarise(read(made.document([])), None, stack="org/underlay/oslo")
    assert markdown.write(summary, ()).splitlines()[0] == "<!-- underlay preview of org/underlay/oslo -->"
    assert markdown.marker("a --> <script>") == "<!-- underlay preview of a--script -->".replace("a--script", "a--script")


def test_the_json_form_has_what_gates_need() -> None:
    document = json.loads(forms(made.document(made.proxied(made.plan(), made.plan(kube_proxy={"mode": "nftables"}))))["json"])
    assert (document["gate"], document["exit_code"]) == ("restarts", 20)
    assert document["resources"] == {"changed": 2}
    assert {effect["gate"] for effect in document["effects"]} == {"restarts"}


def test_an_empty_preview_says_so_in_two_lines() -> None:
    empty: Summary = summarise(read(made.events([], outputs=({}, {}))), None)
    assert plain_text.write(empty) == "Preview of the stack: nothing changes\nno resource changes; gate: nothing (exit code 0)\n"
