"""The lab: one environment on one machine, with or without KVM and the internet."""
