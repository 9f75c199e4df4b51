"""How the command talks to a running Dealreg: one key, one address, refusals as sentences.

Retries what may be retried: a request with an idempotency key after a lost connection or a 503, and any
request after a 429, when the answer says to.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
import typer

from dealreg.terminal import MISUSED, refuse

DEFAULT_URL = "http://127.0.0.1:8000"
ATTEMPTS = 5
PAGE = 200

URL_HELP = "Where Dealreg answers."
KEY_HELP = "API key, drk_...; better in the environment than on the command line."

Url = Annotated[str, typer.Option("--url", envvar="DEALREG_CLIENT_URL", help=URL_HELP)]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="DEALREG_CLIENT_KEY",
        help=KEY_HELP,
        show_default=False,
    ),
]


class Refused(Exception):
    """The service answered with a problem. ``sentence`` says which rule was broken where."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        named = [f"{error['field']}: {error['rule']}" for error in problem.get("errors", ())]
        said = str(problem.get("detail") or problem.get("title") or f"HTTP {status}")
        super().__init__("; ".join(named) or said)
        self.status = status
        self.code = str(problem.get("type", "")).rpartition("/")[2]

    @property
    def sentence(self) -> str:
        return str(self)


class Unreachable(Exception):
    """Nobody answers there."""


class Api:
    """A connection with a key. ``pause`` waits between attempts (seconds)."""

    def __init__(self, client: httpx.Client, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._pause = pause

    def get(self, path: str, **query: Any) -> Any:
        """The JSON answer. Raises ``Refused`` or ``Unreachable``."""
        return self._ask("GET", path, retry=True, params=query).json()

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Post JSON; with an idempotency ``key`` it is repeated when the connection is lost."""
        headers = {} if key is None else {"idempotency-key": key}
        return self._ask("POST", path, retry=key is not None, json=body, headers=headers).json()

    def post_once(self, path: str, body: Any, *, key: str) -> tuple[Any, bool]:
        """Post JSON under an idempotency ``key``: the answer, and whether it had been given before."""
        headers = {"idempotency-key": key}
        answer = self._ask("POST", path, retry=True, json=body, headers=headers)
        return answer.json(), "idempotency-replayed" in answer.headers

    def post_raw(
        self, path: str, content: bytes, media_type: str, *, key: str, query: Mapping[str, str]
    ) -> Any:
        """Post bytes as they are, under an idempotency key."""
        headers = {"idempotency-key": key, "content-type": media_type}
        return self._ask(
            "POST", path, retry=True, content=content, headers=headers, params=query
        ).json()

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """Every item of a list, page after page."""
        after: str | None = None
        while True:
            given = query if after is None else {**query, "after": after}
            answer = self.get(path, limit=PAGE, **given)
            yield from answer["items"]
            after = answer["next"]
            if after is None:
                return

    def _ask(self, method: str, path: str, *, retry: bool, **request: Any) -> httpx.Response:
        for attempt in range(1, ATTEMPTS + 1):
            again = attempt < ATTEMPTS
            try:
                answer = self._client.request(method, path, **request)
            except httpx.TransportError as error:
                if retry and again:
                    self._pause(0.1 * 2**attempt)
                    continue
                raise Unreachable(
                    f"{self._client.base_url} does not answer ({error}); is `dealreg up` running?"
                ) from error
            if again and (answer.status_code == 429 or (retry and answer.status_code == 503)):
                self._pause(_seconds(answer, 0.1 * 2**attempt))
                continue
            if answer.is_success:
                return answer
            raise Refused(answer.status_code, _problem(answer))
        raise AssertionError("the last attempt returns or raises")


def _seconds(answer: httpx.Response, otherwise: float) -> float:
    given = answer.headers.get("retry-after", "")
    return min(60.0, float(given)) if given.isdecimal() else otherwise


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


@contextmanager
def connect(url: str, key: str | None) -> Iterator[Api]:
    """A connection for a command; ends it with a sentence when there is no key."""
    if not key:
        refuse("Give an API key: set DEALREG_CLIENT_KEY, or --key.", MISUSED)
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30.0) as client:
        yield Api(client)
