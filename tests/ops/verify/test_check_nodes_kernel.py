"""nodes.kernel, .modules, .sysctls and .swap."""

import pytest

from ops.verify.checks import nodes_kernel
from ops.verify.model import Check, Seen
from plan import Plan
from render.node_files import modules
from tests.ops.verify.made_seen import CP, WORKER, findings, found, lab_plan, named, seen_with, statuses, unreachable

KERNEL, MODULES, SYSCTLS, SWAP = (named(f"nodes.{name}", nodes_kernel.CHECKS) for name in ("kernel", "modules", "sysctls", "swap"))
ALL = (KERNEL, MODULES, SYSCTLS, SWAP)
SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"
RELEASE = "6.1.0-56-cloud-amd64"
PASSED = {CP: "passed", WORKER: "passed"}


def sysctl_lines(plan: Plan) -> str:
    watched = nodes_kernel.watched_sysctls(plan)
    return "\n".join(f"{place}\t/proc/sys/{sysctl.path.replace('*', 'eth0')}\t{sysctl.value}" for place, sysctl in enumerate(watched))


def parts(plan: Plan) -> dict[str, str]:
    return {
        "release": RELEASE,
        "cmdline": f"BOOT_IMAGE=x {' '.join(plan.settings.image.cmdline)}",
        "image": f'{{"kubernetes": "1.36.3", "kernel": "{RELEASE}"}}',
        "modules": "\n".join(f"{name} loaded" for name in modules(plan)),
        "listed": "# Written by underlay.\n" + "\n".join(modules(plan)),
        "sysctls": sysctl_lines(plan),
        "swaps": SWAPS,
    }


def seen(plan: Plan | None = None, old: str = "", new: str = "", **changes: str | None) -> Seen:
    """The worker's answer has `new` for `old`, and the changes."""
    plan = plan or lab_plan()
    own = parts(plan)
    worker = {name: text.replace(old, new) if old else text for name, text in own.items()}
    assert not old or worker != own
    return seen_with(plan, "node-kernel", {**own}, others={WORKER: {**worker, **changes}})


@pytest.mark.parametrize("check", ALL)
def test_a_node_as_declared_passes(check: Check) -> None:
    assert statuses(check, seen()) == PASSED


@pytest.mark.parametrize(
    ("check", "old", "new", "says"),
    [
        (KERNEL, f'"kernel": "{RELEASE}"', '"kernel": "6.1.0-57"', f"kernel {RELEASE} runs, the image is built with 6.1.0-57"),
        (KERNEL, "mitigations=off nokaslr", "quiet", "the command line lacks mitigations=off nokaslr"),
        (MODULES, "ip_vs_sh loaded", "ip_vs_sh absent", "ip_vs_sh is not loaded"),
        (MODULES, "dummy loaded", "dummy absent", "dummy is not loaded"),
        (SYSCTLS, "/proc/sys/vm/panic_on_oom\t0", "/proc/sys/vm/panic_on_oom\t1", "vm.panic_on_oom is 1, declared 0"),
        (SYSCTLS, "net/core/somaxconn\t32768", "net/core/somaxconn\tabsent", "net.core.somaxconn is absent, declared 32768"),
        (SWAP, SWAPS, f"{SWAPS}\n/swapfile\tfile\t65532\t0\t-2", "swap on /swapfile"),
    ],
)
def test_what_differs_is_named_by_one_check(check: Check, old: str, new: str, says: str) -> None:
    said = seen(old=old, new=new)
    assert found(check, said, WORKER) == says
    for other in ALL:
        if other is not check:
            assert statuses(other, said) == PASSED
    assert statuses(check, said)[CP] == "passed"


def test_a_module_that_the_kernel_never_had_is_no_failure_unless_it_is_required() -> None:
    plan = lab_plan()
    listed = parts(plan)["listed"]
    without = seen(listed=listed.replace("ip_vs_lblcr\n", ""), modules=parts(plan)["modules"].replace("ip_vs_lblcr loaded", "ip_vs_lblcr absent"))
    assert statuses(MODULES, without) == PASSED
    required = seen(listed=listed.replace("ip_vs_wrr\n", ""))
    assert found(MODULES, required, WORKER) == "/etc/modules-load.d/underlay.conf lacks ip_vs_wrr: not loaded at the next boot"


def test_declared_modules_and_sysctls_are_looked_at() -> None:
    plan = lab_plan(node__modules=["br-netfilter"], node__sysctls={"net.ipv4.tcp_rmem": "4096 131072 6291456"})
    assert found(MODULES, seen(plan, "br_netfilter loaded", "br_netfilter absent"), WORKER) == "br_netfilter is not loaded"
    # the kernel separates by tabs
    assert statuses(SYSCTLS, seen(plan, "4096 131072 6291456", "4096  131072 6291456")) == PASSED
    said = found(SYSCTLS, seen(plan, "4096 131072 6291456", "4096 131072 4194304"), WORKER)
    assert said == "net.ipv4.tcp_rmem is 4096 131072 4194304, declared 4096 131072 6291456"


def test_of_a_pattern_and_a_name_the_later_one_counts() -> None:
    plan = lab_plan(node__sysctls={"net.ipv4.conf.*.send_redirects": "0", "net.ipv4.conf.eth0.send_redirects": "1"})
    assert statuses(SYSCTLS, seen(plan)) == PASSED
    one = len(nodes_kernel.watched_sysctls(plan)) - 1
    wrong = parts(plan)["sysctls"].replace(
        f"{one}\t/proc/sys/net/ipv4/conf/eth0/send_redirects\t1", f"{one}\t/proc/sys/net/ipv4/conf/eth0/send_redirects\t0"
    )
    assert found(SYSCTLS, seen(plan, sysctls=wrong), WORKER) == "net.ipv4.conf.eth0.send_redirects is 0, declared 1"
    every = parts(plan)["sysctls"] + f"\n{one - 1}\t/proc/sys/net/ipv4/conf/lo/send_redirects\t1"
    assert found(SYSCTLS, seen(plan, sysctls=every), WORKER) == "net.ipv4.conf.lo.send_redirects is 1, declared 0"


def test_connection_trackings_values_are_left_to_its_own_checks() -> None:
    names = {sysctl.name for sysctl in nodes_kernel.watched_sysctls(lab_plan())}
    assert "net.ipv4.ip_forward" in names
    assert not [name for name in names if "conntrack" in name]


@pytest.mark.parametrize("check", ALL)
def test_who_cannot_be_asked_is_not_checked(check: Check) -> None:
    assert findings(check, unreachable(seen(), WORKER))[WORKER].found == "no route to host"
    nothing = seen_with(lab_plan(), "node-kernel", dict.fromkeys(parts(lab_plan())))
    assert statuses(check, nothing) == {CP: "not checked", WORKER: "not checked"}


def test_half_an_answer_is_not_taken_for_a_whole_one() -> None:
    lines = parts(lab_plan())["sysctls"].splitlines()
    assert statuses(SYSCTLS, seen(sysctls="\n".join(lines[:-1])))[WORKER] == "not checked"
    assert statuses(SWAP, seen(swaps=""))[WORKER] == "not checked"
    assert statuses(MODULES, seen(modules=""))[WORKER] == "not checked"
