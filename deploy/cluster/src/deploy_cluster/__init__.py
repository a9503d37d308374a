"""The product on a Kubernetes of one node that is made for it, tried, and gone again."""
