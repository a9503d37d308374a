"""How long goods are under way back: the numbers of the policy that returns and remedies share."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from shared_casework.policy import DAY, Policy, days


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnTimes(Policy):
    """`return_ship_by`: until the buyer has sent them; `return_transit_max`: until they count as
    lost; `return_receive`: until the seller has looked at what the carrier brought.
    """

    return_ship_by: Annotated[timedelta, days(5, 30)] = 10 * DAY
    return_transit_max: Annotated[timedelta, days(15, 90)] = 45 * DAY
    return_receive: Annotated[timedelta, days(1, 10)] = 5 * DAY

    @property
    def return_back_in(self) -> timedelta:
        """From an order to send them back until somebody has them in his hands, at the latest."""
        return self.return_ship_by + self.return_transit_max + self.return_receive
