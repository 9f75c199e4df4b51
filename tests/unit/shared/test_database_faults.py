"""What may be gone at the next try, and what is the same every time."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from dealreg_shared.db.faults import is_transient, of_database


@pytest.mark.parametrize(
    "raised",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("too many clients"),
        asyncpg.AdminShutdownError("terminating connection"),
        ConnectionRefusedError(),
    ],
)
def test_a_database_that_is_away_or_starting_is_waited_for(raised: Exception) -> None:
    """Raised while a connection is made, they come without the wrapping of what a statement raises."""
    assert of_database(raised)
    assert is_transient(raised)


@pytest.mark.parametrize(
    "raised",
    [
        asyncpg.InvalidPasswordError("password authentication failed"),
        asyncpg.InvalidCatalogNameError("database does not exist"),
        DBAPIError("SELECT 1/0", None, asyncpg.DivisionByZeroError("division by zero")),
    ],
)
def test_what_no_waiting_cures_is_not(raised: Exception) -> None:
    assert of_database(raised)
    assert not is_transient(raised)


def test_a_missing_file_of_ours_is_no_trouble_of_a_database() -> None:
    assert not of_database(FileNotFoundError("plan.yaml"))
