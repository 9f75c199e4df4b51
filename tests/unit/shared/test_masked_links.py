"""A link that decides is a credential: it stands in no log."""

from dealreg_shared.links import text_of
from dealreg_shared.telemetry.logs import MASK, masked


def test_a_token_in_an_address_is_masked() -> None:
    token = f"{text_of(b'{}' * 40)}.{text_of(bytes(64))}"
    line = f'127.0.0.1:4711 - "GET /decide/{token} HTTP/1.1" 200'
    assert masked(line) == f'127.0.0.1:4711 - "GET /decide/{MASK} HTTP/1.1" 200'
    assert masked({"path": f"/decide/{token}"}) == {"path": f"/decide/{MASK}"}
    assert masked("POST /v1/conflicts/cnf_1/decide HTTP/1.1") == (
        "POST /v1/conflicts/cnf_1/decide HTTP/1.1"
    )
