"""Pure functions from the plan to text: seeds, stylesheets, kubeadm documents, node files and node scripts."""
