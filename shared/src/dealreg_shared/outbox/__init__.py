"""The transactional outbox: append in the deciding transaction, relay afterwards."""
