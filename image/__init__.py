"""The node image builder: a Debian disk with kubeadm's parts and the control plane's container images in it."""
