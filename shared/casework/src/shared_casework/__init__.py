"""What all services mean by a party, a judge, a reason, a deadline and a policy.

Pure, as the domains that use it are, but for what stands at a service's edge: `order_rows` (the
table of the facts of orders) and `policy_settings` (which policy is in force, from the
environment).
"""
