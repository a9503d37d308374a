"""What the deployment is made and tried with: none of it runs in production."""
