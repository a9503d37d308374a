"""Events and passed deadlines in, commands to accounts and cases out."""
