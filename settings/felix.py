"""Fields of FelixConfiguration (projectcalico.org/v3), of Calico 3.31 and 3.32, by what they hold."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from settings.base import Problem

INT32 = 2147483647
"""Calico's definitions hold masks as signed numbers."""

_KINDS: dict[str, tuple[type, ...]] = {"true or false": (bool,), "a whole number": (int,), "text": (str,), "a list": (list,), "a map": (dict,)}

_FIELDS: dict[str, str] = {
    "true or false": """
        allowIPIPPacketsFromWorkloads allowVXLANPacketsFromWorkloads bpfConnectTimeLoadBalancingEnabled bpfDisableUnprivileged bpfEnabled
        bpfHostConntrackBypass bpfKubeProxyEndpointSlicesEnabled bpfKubeProxyIptablesCleanupEnabled bpfPolicyDebugEnabled debugDisableLogDropping
        disableConntrackInvalidCheck endpointReportingEnabled flowLogsCollectorDebugTrace genericXDPEnabled healthEnabled ipv6Support
        prometheusGoMetricsEnabled prometheusMetricsEnabled prometheusProcessMetricsEnabled prometheusWireGuardMetricsEnabled removeExternalRoutes
        requireMTUFile routeSyncDisabled sidecarAccelerationEnabled usageReportingEnabled useInternalDataplaneDriver wireguardEnabledV6
        wireguardHostEncryptionEnabled wireguardThreadingEnabled""",
    "a whole number": """
        bpfExportBufferSizeMB bpfExtToServiceConnmark bpfKubeProxyHealthzPort bpfMaglevMaxEndpointsPerService bpfMaglevMaxServices
        bpfMapSizeConntrack bpfMapSizeConntrackCleanupQueue bpfMapSizeIPSets bpfMapSizeIfState bpfMapSizeNATAffinity bpfMapSizeNATBackend
        bpfMapSizeNATFrontend bpfMapSizePerCpuConntrack bpfMapSizeRoute debugPort deviceRouteProtocol goGCThreshold goMaxProcs goMemoryLimitMB
        healthPort ipv4ElevatedRoutePriority ipv4NormalRoutePriority ipv6ElevatedRoutePriority ipv6NormalRoutePriority istioDSCPMark
        logActionRateLimitBurst maxIpsetSize metadataPort nftablesMarkMask prometheusMetricsPort vxlanMTUV6 vxlanPort vxlanVNI
        wireguardListeningPort wireguardListeningPortV6 wireguardMTUV6 wireguardRoutingRulePriority""",
    "text": """
        awsSrcDstCheck bpfAttachType bpfCTLBLogFilter bpfConnectTimeLoadBalancing bpfConntrackLogLevel bpfConntrackMode bpfDataIfacePattern
        bpfDisableGROForIfaces bpfEnforceRPF bpfExternalServiceMode bpfHostNetworkedNATWithoutCTLB bpfJITHardening bpfKubeProxyMinSyncPeriod
        bpfL3IfacePattern bpfLogLevel bpfMapSizeConntrackScaling bpfProfiling bpfRedirectToPeer cgroupV2Path chainInsertMode dataplaneDriver
        dataplaneWatchdogTimeout debugHost debugMemoryProfilePath debugSimulateCalcGraphHangAfter debugSimulateDataplaneApplyDelay
        debugSimulateDataplaneHangAfter defaultEndpointToHostAction deviceRouteSourceAddress deviceRouteSourceAddressIPv6 endpointReportingDelay
        endpointStatusPathPrefix featureDetectOverride featureGates floatingIPs flowLogsFlushInterval flowLogsGoldmaneServer flowLogsLocalReporter
        flowLogsPolicyEvaluationMode healthHost interfaceExclude interfacePrefix interfaceRefreshInterval ipForwarding ipsetsRefreshInterval
        iptablesBackend iptablesFilterAllowAction iptablesFilterDenyAction iptablesLockFilePath iptablesLockProbeInterval iptablesLockTimeout
        iptablesMangleAllowAction iptablesNATOutgoingInterfaceFilter iptablesPostWriteCheckInterval iptablesRefreshInterval istioAmbientMode
        liveMigrationRouteConvergenceTime logActionRateLimit logDebugFilenameRegex logFilePath logPrefix logSeverityFile logSeverityScreen
        logSeveritySys metadataAddr mtuIfacePattern natOutgoingAddress natOutgoingExclusions netlinkTimeout nftablesFilterAllowAction
        nftablesFilterDenyAction nftablesMangleAllowAction nftablesRefreshInterval nodeSelector openstackRegion policySyncPathPrefix
        programClusterRoutes prometheusMetricsCAFile prometheusMetricsCertFile prometheusMetricsClientAuth prometheusMetricsHost
        prometheusMetricsKeyFile reportingInterval reportingTTL routeRefreshInterval routeSource serviceLoopPrevention usageReportingInitialDelay
        usageReportingInterval windowsManageFirewallRules wireguardInterfaceName wireguardInterfaceNameV6 wireguardKeepAlive
        workloadSourceSpoofing xdpRefreshInterval""",
    "a list": """
        bpfDSROptoutCIDRs bpfExcludeCIDRsFromNAT bpfForceTrackPacketsFromIfaces externalNodesList failsafeInboundHostPorts
        failsafeOutboundHostPorts healthTimeoutOverrides routeTableRanges""",
    "a map": "bpfConntrackTimeouts bpfLogFilters routeTableRange",
}

FIELDS: dict[str, str] = {name: kind for kind, names in _FIELDS.items() for name in names.split()}
"""What each field holds; those are left out that underlay sets itself, or that hold a number or text."""
EITHER = frozenset({"bpfPSNATPorts", "natPortRange"})
"""Fields that hold a port, or a range of ports as text."""


def mistakes(fields: Mapping[str, Any], *, names_are_known: bool) -> Iterator[Problem]:
    """Fields that Felix has not, where its version is known, and values of the wrong kind."""
    for name, value in fields.items():
        kind = FIELDS.get(name)
        if kind is None:
            if names_are_known and name not in EITHER:
                close = get_close_matches(name, FIELDS, 1)
                remedy = f"did you mean {close[0]}?" if close else "see FelixConfiguration in Calico's reference"
                yield Problem(name, f"is no field of Felix; {remedy}")
        elif type(value) not in _KINDS[kind]:
            yield Problem(name, f"is {type(value).__name__}, needed {kind}; correct it")
        elif kind == "a whole number" and value > INT32:
            yield Problem(name, f"is {value}, limit {INT32} (Calico's definition holds a signed number); lower it")
