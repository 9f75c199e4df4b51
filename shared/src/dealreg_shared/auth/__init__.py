"""Who is calling and what they may do: API keys, roles, rate limits.

Registration makes keys and publishes their hashes; every service keeps them in its own ``access_key``
table and checks callers by itself. Nobody stores or logs a key.
"""

from dealreg_shared.auth import keys
from dealreg_shared.auth.access import access_table, apply_access, forget_access, put_access
from dealreg_shared.auth.authenticator import Authenticator
from dealreg_shared.auth.principal import STAFF_ROLES, Principal

__all__ = [
    "STAFF_ROLES",
    "Authenticator",
    "Principal",
    "access_table",
    "apply_access",
    "forget_access",
    "keys",
    "put_access",
]
