"""HTTP over what coverage knows: routes, schemas, the one map from domain errors to statuses."""
