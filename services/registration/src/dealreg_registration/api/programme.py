"""All routes of plans, partners, territories, people and keys, for the composition root."""

from fastapi import APIRouter

from dealreg_registration.api.delegations import delegations_router
from dealreg_registration.api.keys import keys_router
from dealreg_registration.api.partners import partners_router
from dealreg_registration.api.people import people_router
from dealreg_registration.api.plans import plans_router
from dealreg_registration.api.programme_parts import ProgrammeParts


def programme_routers(parts: ProgrammeParts) -> list[APIRouter]:
    """One router for each subject."""
    return [
        plans_router(parts),
        partners_router(parts),
        people_router(parts),
        delegations_router(parts),
        keys_router(parts),
    ]
