"""The codes of currencies and countries: those in use, and those that orders have been in.

A code that was taken once is always taken: an order that is told again long after is the same
order, and a marketplace's history is in the currencies of its time.
"""

from iso3166 import countries_by_alpha2
from iso4217 import Currency

# Withdrawn from ISO 4217 since there are shops in the web: by the euro, or for a new currency.
WITHDRAWN_CURRENCIES = frozenset(
    """
    ATS BEF BGN CYP DEM EEK ESP FIM FRF GRD HRK IEP ITL LTL LUF LVL MTL NLG PTE SIT SKK
    ADP AFA ANG AZM BGL BYB BYR CSD CUC ECS GHC MGF MRO MZM ROL RUR SDD SLL SRG STD TMM TRL VEB
    VEF YUM ZMK ZWD ZWL ZWN ZWR
    """.split()  # noqa: SIM905 - a table
)
# Withdrawn from ISO 3166-1 in the same years.
WITHDRAWN_COUNTRIES = frozenset({"AN", "CS", "TP", "YU"})

CURRENCIES = WITHDRAWN_CURRENCIES | {currency.code for currency in Currency}
COUNTRIES = WITHDRAWN_COUNTRIES | set(countries_by_alpha2)


CURRENCY = "a code of ISO 4217"
COUNTRY = "a code of ISO 3166-1, two letters"


def is_currency(code: str) -> bool:
    return code in CURRENCIES


def is_country(code: str) -> bool:
    return code in COUNTRIES
