"""What returns and refunds are decided with: no clock, no chance, no input or output."""
