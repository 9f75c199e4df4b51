"""The JSON Schema of a plan document, published at ``/v1/plan-schema`` and kept in ``docs``."""

from typing import Any

from dealreg_shared.contracts.plan_document import SCHEMA_ID, PlanDocument


def plan_schema() -> dict[str, Any]:
    """JSON Schema (2020-12). It describes shape only; ``docs/plan.md`` lists what else is checked."""
    schema = PlanDocument.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA_ID.replace('/', ':')}",
        **schema,
        "title": "Dealreg plan",
    }
