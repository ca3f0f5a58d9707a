"""Keys of the controllers' ConfigMaps that have no setting of their own and may be written: none that runs code or holds a secret."""

_INGRESS_NGINX = """
    access-log-params access-log-path add-headers allow-backend-server-header allow-cross-namespace-resources annotation-value-word-blocklist
    annotations-risk-level bind-address block-cidrs block-referers block-user-agents brotli-level brotli-min-length brotli-types
    compute-full-forwarded-for custom-http-errors debug-connections default-type denylist-source-range disable-access-log
    disable-http-access-log disable-ipv6 disable-ipv6-dns disable-proxy-intercept-errors disable-stream-access-log
    enable-access-log-for-default-backend enable-aio-write enable-auth-access-log enable-brotli enable-modsecurity enable-ocsp
    enable-opentelemetry enable-owasp-modsecurity-crs enable-real-ip enable-serial-reloads enable-syslog enable-underscores-in-headers
    error-log-level error-log-path force-ssl-redirect forwarded-for-header forwarded-for-proxy-protocol-header forwarded-host-header
    generate-request-id geoip2-autoreload-in-minutes global-allowed-response-headers global-auth-always-set-cookie global-auth-cache-duration
    global-auth-cache-key global-auth-method global-auth-request-redirect global-auth-response-headers global-auth-signin
    global-auth-signin-redirect-param global-auth-url grpc-buffer-size-kb gzip-disable hide-headers hsts hsts-include-subdomains hsts-max-age
    hsts-preload http-access-log-path http-redirect-code ignore-invalid-headers limit-conn-status-code limit-conn-zone-variable limit-rate
    limit-rate-after limit-req-status-code load-balance log-format-escape-none log-format-stream lua-shared-dicts map-hash-bucket-size
    nginx-status-ipv4-whitelist nginx-status-ipv6-whitelist no-auth-locations no-tls-redirect-locations opentelemetry-config
    opentelemetry-operation-name opentelemetry-trust-incoming-span otel-max-export-batch-size otel-max-queuesize otel-sampler
    otel-sampler-parent-based otel-sampler-ratio otel-schedule-delay-millis otel-service-name otlp-collector-host otlp-collector-port
    preserve-trailing-slash proxy-add-original-uri-header proxy-cookie-domain proxy-cookie-path proxy-headers-hash-bucket-size
    proxy-headers-hash-max-size proxy-http-version proxy-next-upstream proxy-next-upstream-timeout proxy-next-upstream-tries
    proxy-protocol-header-timeout proxy-redirect-from proxy-redirect-to proxy-set-headers proxy-ssl-location-only proxy-stream-next-upstream
    proxy-stream-next-upstream-timeout proxy-stream-next-upstream-tries proxy-stream-responses proxy-stream-timeout relative-redirects
    retry-non-idempotent server-name-hash-bucket-size server-name-hash-max-size server-tokens service-upstream skip-access-log-urls
    ssl-ciphers ssl-dh-param ssl-early-data ssl-ecdh-curve ssl-redirect ssl-reject-handshake ssl-session-cache stream-access-log-path
    strict-validate-path-type syslog-host syslog-port upstream-hash-by upstream-hash-by-subset upstream-hash-by-subset-size
    upstream-keepalive-time use-forwarded-headers use-geoip2 use-port-in-redirects variables-hash-bucket-size variables-hash-max-size
    whitelist-source-range worker-cpu-affinity"""
_F5 = """
    access-log access-log-off app-protect-compressed-requests-action app-protect-cpu-thresholds app-protect-dos-arb-fqdn
    app-protect-dos-log-format app-protect-dos-log-format-escaping app-protect-failure-mode-action app-protect-physical-memory-util-thresholds
    app-protect-reconnect-period-seconds default-server-access-log-off default-server-return error-log-level external-status-address
    fail-timeout hsts hsts-behind-proxy hsts-include-subdomains hsts-max-age http-redirect-code lb-method map-hash-bucket-size
    map-hash-max-size max-fails oidc-access-tokens-timeout oidc-access-tokens-zone-size oidc-id-tokens-timeout oidc-id-tokens-zone-size
    oidc-pkce-timeout oidc-pkce-zone-size oidc-refresh-tokens-timeout oidc-refresh-tokens-zone-size oidc-sids-timeout oidc-sids-zone-size
    otel-exporter-endpoint otel-exporter-header-name otel-service-name otel-trace-in-http proxy-hide-headers proxy-next-upstream
    proxy-next-upstream-timeout proxy-next-upstream-tries proxy-pass-headers real-ip-recursive redirect-to-https resolver-addresses
    resolver-ipv6 resolver-timeout resolver-valid server-names-hash-bucket-size server-names-hash-max-size server-tokens ssl-ciphers
    ssl-dhparam-file ssl-prefer-server-ciphers ssl-redirect stream-log-format stream-log-format-escaping upstream-zone-size
    variables-hash-bucket-size variables-hash-max-size worker-cpu-affinity zone-sync zone-sync-port zone-sync-resolver-addresses
    zone-sync-resolver-ipv6 zone-sync-resolver-valid"""

INGRESS_NGINX_KEYS = frozenset(_INGRESS_NGINX.split())
"""ingress-nginx 1.15 (internal/ingress/controller/config/config.go, internal/ingress/defaults/main.go, .../template/configmap.go)."""
F5_KEYS = frozenset(_F5.split())
"""F5's controller 5.5 (nginx/kubernetes-ingress, internal/configs/configmaps.go, ParseConfigMap)."""
