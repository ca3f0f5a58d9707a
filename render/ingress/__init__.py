"""The ingress controller: its ConfigMap by its own keys, and its manifest with the environment's settings in it."""
