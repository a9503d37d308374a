"""The rules of orders and evaluations: no clock, no chance, no input or output."""
