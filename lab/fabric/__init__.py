"""The lab's BGP: BIRD on the nodes in place of Calico's, and routers beside them, all from the product's plan."""
