"""Pure functions from the plan to Calico's objects: its published manifests, changed, and its settings in projectcalico.org/v3."""
