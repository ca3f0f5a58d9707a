"""The stand-in for Pulumi's `tls` plugin: keys, certificate requests and certificates, kept in the state."""
