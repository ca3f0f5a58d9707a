"""The lab's stand-in for pulumi-kubernetes 4.32.0: objects of any kind and patches of them, over the real Kubernetes API."""
