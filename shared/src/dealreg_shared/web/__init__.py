"""What every service's HTTP surface shares: problems, bodies, idempotency, paging, ETags, the app.

Must not know any service, and must not commit: route bodies do that, through ``Database``. Import from
its modules: ``web.app.new_app``, ``web.problems.Problem``, ``web.bodies.StrictBody`` and so on.
"""
