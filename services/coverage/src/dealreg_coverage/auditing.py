"""What must be true of coverage's tables: all that was decided is applied, all that it says is sent."""

from dealreg_coverage.consumers import PROJECTIONS, group
from dealreg_coverage.tables import ACCESS as ACCESS_TABLE
from dealreg_coverage.tables import HEARTBEAT, INBOX, OUTBOX
from dealreg_shared.auditing import Audited
from dealreg_shared.auditing.messages import message_checks
from dealreg_shared.contracts.catalogue import ACCESS

AUDITED = Audited(
    service="coverage",
    outbox=OUTBOX,
    inbox=INBOX,
    heartbeat=HEARTBEAT,
    access=ACCESS_TABLE,
    consumers={group(topic): [topic] for topic in (ACCESS, *PROJECTIONS)},
    checks=message_checks(OUTBOX, INBOX),
)
