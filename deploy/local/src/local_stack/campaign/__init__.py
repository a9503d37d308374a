"""Seeds in, histories of a stack under faults out, checked: `python -m local_stack.campaign`.

plan       what the clients of a seed do, and what goes wrong meanwhile
faults     what goes wrong, done to a stack
history    a plan carried out: what each client was answered
readers    how far those who read the logs have come
checks     what must be true of the logs then
"""
