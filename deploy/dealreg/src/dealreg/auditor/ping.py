"""Tells the dead man's URL that all is well. Whoever listens there alarms when it hears nothing."""

from datetime import datetime

from dealreg.auditor.report import PingReport
from dealreg_shared.outbound import NotSent, OutboundClient, Unanswered
from dealreg_shared.telemetry import get_logger, metrics

_PINGS = metrics.counter(
    "dealreg_auditor_pings", "Posts to the dead man's URL by outcome.", "outcome"
)


async def ping(client: OutboundClient, url: str, at: datetime) -> PingReport:
    """One post. A failure is logged and counted; the listener's own alarm tells the rest."""
    try:
        answer = await client.post(url, {"content-type": "text/plain"}, b"clean")
    except NotSent as error:
        outcome = f"not sent: {error}"
    except Unanswered as error:
        outcome = f"no answer: {error.kind}"
    else:
        outcome = "ok" if 200 <= answer.status < 300 else f"answered {answer.status}"
    _PINGS.labels("ok" if outcome == "ok" else "failed").inc()
    if outcome != "ok":
        get_logger(__name__).warning("the dead man's URL was not reached", outcome=outcome)
    return PingReport(at=at, outcome=outcome)
