"""The CloudEvents 1.0 envelope that every event travels in.

Extension attributes follow the CloudEvents naming rule (lower case letters and digits only):
``programme``, ``partitionkey``, ``keyversion``, ``correlationid``, ``causationid`` and the distributed
tracing extension's ``traceparent``. ``keyversion`` counts the events of one partition key from 1
without gaps; consumers depend on it (see ``bus.port``).

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import ConfigDict, Field

from dealreg_shared.contracts.base import Contract, EventData, Instant

DataT = TypeVar("DataT", bound=EventData, covariant=True)


class Event(Contract, Generic[DataT]):
    """One event. ``type`` ends in its version, such as ``dealreg.conflict.opened.v1``."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: Annotated[str, Field(description="The service, such as /dealreg/registration")]
    type: str
    subject: Annotated[str, Field(description="The id of what the event is about")]
    time: Instant
    datacontenttype: Literal["application/json"] = "application/json"
    programme: str
    partitionkey: str
    keyversion: Annotated[int, Field(ge=1)]
    correlationid: str
    causationid: str | None = None
    traceparent: str | None = None
    data: DataT
