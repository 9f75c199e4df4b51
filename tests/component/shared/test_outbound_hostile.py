"""No URL and no name leads a request of ours to a machine that is not on the public internet.

A real listener stands on this machine, and whatever is dialled is really dialled: a connection that got
through would be counted.
"""

from collections.abc import AsyncIterator
from itertools import product

import pytest

from dealreg_shared.outbound import NotSent, OutboundClient, Unanswered
from tests.factories.outbound import (
    OTHER_PUBLIC,
    PUBLIC,
    Dialler,
    Names,
    Receiver,
    answered,
    receiver,
)

NOT_PUBLIC = """
127.0.0.1 127.0.0.53 127.1.2.3 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1
100.100.100.200 100.127.255.254 169.254.169.254 169.254.170.2 169.254.0.1 172.16.0.1 172.31.255.254
192.168.0.1 192.168.255.254 192.0.0.8 192.0.0.170 192.0.2.1 192.88.99.1 192.31.196.1 192.52.193.1
192.175.48.1 198.18.0.1 198.19.255.254 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1
255.255.255.255 168.63.129.16
:: ::1 ::2 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:93.184.215.14
::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::5db8:d70e 64:ff9b:1::7f00:1 100::1
2001::1 2001:0:7f00:1::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe::1
2002:5db8:d70e::1 2620:4f:8000::1 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fd12:3456::1 fe80::1
fec0::1 ff02::1 ff0e::1 fe80::1%lo ::1%lo 2606:2800:21f:cb07:6820:80da:af6b:8b2c%1 not-an-address
""".split()  # noqa: SIM905  (a table reads better than a hundred quotes)

LITERALS = """
127.0.0.1 127.1 127.0.1 0 0.0.0.0 2130706433 017700000001 0x7f000001 0x7f.0.0.1 0x7f.1 0177.0.0.1
0177.1 00127.0.0.1 127.0.0.0x1 127.0.0.01 3232235777 0xc0a80101 0xa9fea9fe 2852039166 0251.0376.0251.0376
169.254.169.254 10.0.0.1 100.64.0.1 192.168.1.1 93.184.215.14 1.1 256.256.256.256 4294967296
0000000000000000000000127.0.0.1 127.0.0.1. 127.0.0.1.. 0x 0x. 08 1.2.3.4.5 foo.127.0.0.1 foo.0x7f
[::1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:0:0:1] [::127.0.0.1] [64:ff9b::7f00:1]
[2002:7f00:1::] [fe80::1%25lo] [fe80::1%lo] [::1%25] [fd00::1] [2606:4700:4700::1111]
[v1.127] [127.0.0.1] [localhost] [::1].example.com [[::1]] ::1 ::ffff:127.0.0.1 fe80::1
localhost localhost. LOCALHOST localhost.localdomain foo.localhost printer.local metadata.google.internal
host.docker.internal router.home.arpa x.onion metadata intranet example.com. example..com .example.com
-a.example.com a-.example.com example.com- hooks.example.com%2f127.0.0.1 hooks.example.com%00
%31%32%37.0.0.1 %6c%6f%63%61%6c%68%6f%73%74 127%2e0%2e0%2e1 1%32%37.0.0.1 example.com,127.0.0.1
example.com;127.0.0.1
exa$mple.com exa*mple.com exa'mple.com (localhost) !localhost localhost! a,localhost =localhost
""".split()  # noqa: SIM905  (a table reads better than a hundred quotes)

WHOLE = [
    "",
    "https:",
    "https://",
    "https:///",
    "https:///127.0.0.1/",
    "https:/127.0.0.1/",
    "https:127.0.0.1",
    "//127.0.0.1/",
    "/etc/passwd",
    "127.0.0.1",
    "http://hooks.example.com/",
    "HTTP://127.0.0.1/",
    "file:///etc/passwd",
    "ftp://hooks.example.com/",
    "gopher://127.0.0.1:25/_HELO",
    "dict://127.0.0.1:11211/",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "ws://127.0.0.1/",
    "wss://hooks.example.com/",
    "jar:https://hooks.example.com!/",
    "https://user@hooks.example.com/",
    "https://user:pass@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}@hooks.example.com/",
    "https://hooks.example.com:80@127.0.0.1:{port}/",
    "https://hooks.example.com:443:80/",
    "https://127.0.0.1:{port}#@hooks.example.com/",
    "https://hooks.example.com#@127.0.0.1/",
    "https://127.0.0.1:{port}\\@hooks.example.com/",
    "https://hooks.example.com\\@127.0.0.1/",
    "https:\\\\127.0.0.1\\",
    "https://\\127.0.0.1/",
    "https://127.0.0.1\t/",
    "https://127.0.0.1%09/",
    "\thttps://127.0.0.1/",
    " https://hooks.example.com/",
    "https://hooks.example.com/ ",
    "https://hooks.exa\nmple.com/",
    "https://hooks.example.com/\r\nHost: 127.0.0.1",
    "https://hooks.example.com/\0",
    "https://hooks.example.com /",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:65536/",
    "https://hooks.example.com:-1/",
    "https://hooks.example.com:/",
    "https://hooks.example.com:abc/",
    "https://hooks.example.com:४४३/",
    "https://hooks.example.com:8\t0/",
    "https://①②⑦.⓪.⓪.①/",
    "https://１２７.０.０.１/",
    "https://127。0。0。1/",
    "https://127．0．0．1/",
    "https://١٢٧.٠.٠.١/",
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "https://ʟocalhost/",
    "https://local\u00adhost/",
    "https://local\u200bhost/",
    "https://ℓocalhost/",
    "https://hooks.example.com\uff03@127.0.0.1/",
    "https://hooks.example.com\uff0f127.0.0.1/",
    "https://127.0.0.1\uff20hooks.example.com/",
    "https://hooks.example\u2024com/",
    "https://münchen.example.com/",
    "https://[::1/",
    "https://::1]/",
    "https://[]/",
    "https://[::ffff:127.0.0.1%25lo]/",
    "https://<127.0.0.1>/",
    'https://"127.0.0.1"/',
    "https://{{127.0.0.1}}/",
    "https://hooks.example.com`id`/",
    "https://hooks^example.com/",
    "https://" + "a" * 64 + ".example.com/",
    "https://" + "a." * 127 + "example.com/",
    "https://hooks.example.com/" + "a" * 2000,
]


@pytest.fixture
async def here() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


async def _refused(client: OutboundClient, url: str) -> None:
    with pytest.raises(NotSent):
        await client.post(url, {}, b"{}")


async def test_hostile_urls_reach_nobody(here: Receiver) -> None:
    dialler = Dialler()
    client = OutboundClient(dialler=dialler)  # with the system's own resolver
    urls = [f"https://{literal}:{here.port}/hook" for literal in LITERALS]
    urls += [f"https://{literal}/hook" for literal in LITERALS]
    urls += [url.replace("{port}", str(here.port)) for url in WHOLE]
    assert len(set(urls)) >= 200
    for url in urls:
        await _refused(client, url)
    await client.close()
    assert (dialler.dialled, here.connections) == ([], 0)


async def test_names_that_lead_inside_reach_nobody(here: Receiver) -> None:
    """Alone, before and behind a public address: one bad address refuses the name."""
    orders = ([0], [0, 1], [1, 0], [1, 2, 0])
    cases = [
        [[bad, PUBLIC, OTHER_PUBLIC][place] for place in order]
        for bad, order in product(NOT_PUBLIC, orders)
    ]
    assert len(cases) >= 200
    names = Names({f"n{place}.example.com": [found] for place, found in enumerate(cases)})
    dialler = Dialler()
    client = OutboundClient(resolver=names, dialler=dialler)
    for name in list(names.answers):
        await _refused(client, f"https://{name}:{here.port}/")
    await client.close()
    assert (dialler.dialled, here.connections) == ([], 0)
    assert len(names.asked) == len(cases)


async def test_a_name_is_asked_for_once_and_a_later_answer_counts_anew(here: Receiver) -> None:
    """Rebinding: public when checked, private afterwards."""
    names = Names({"rebind.example.com": [[PUBLIC], ["127.0.0.1"]]})
    dialler = Dialler()
    client = OutboundClient(resolver=names, dialler=dialler, seconds=1)
    url = f"https://rebind.example.com:{here.port}/"
    with pytest.raises(Unanswered):  # it spoke TLS to a receiver that does not
        await client.post(url, {}, b"{}")
    assert (names.asked, dialler.dialled) == (["rebind.example.com"], [PUBLIC])
    await _refused(client, url)
    await client.close()
    assert dialler.dialled == [PUBLIC]
    assert here.requests == []


async def test_a_name_without_an_address_is_not_known(here: Receiver) -> None:
    dialler = Dialler()
    client = OutboundClient(resolver=Names({"void.example.com": [[]]}), dialler=dialler)
    for name in ("void.example.com", "absent.example.com"):
        with pytest.raises(Unanswered) as raised:
            await client.post(f"https://{name}/", {}, b"{}")
        assert name not in str(raised.value)
    await client.close()
    assert dialler.dialled == []


async def test_for_development_this_machine_and_nothing_else_is_open(
    here: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.answers = [answered(200, b"taken")]
    private = [a for a in NOT_PUBLIC if not a.startswith("127.") and a != "::1"]
    names = Names({f"n{place}.example.com": [[bad]] for place, bad in enumerate(private)})
    names.answers["localhost"] = [["127.0.0.1"]]
    client = OutboundClient(loopback=True, resolver=names)
    for name in list(names.answers)[:-1]:
        await _refused(client, f"http://{name}:{here.port}/")
    for url in ("http://10.0.0.1/", "https://[fd00::1]/", "http://2130706433/", "ftp://localhost/"):
        await _refused(client, url)
    assert here.connections == 0
    answer = await client.post(f"http://localhost:{here.port}/", {"x-a": "b"}, b"{}")
    await client.close()
    assert (answer.status, answer.body, here.requests[0].body) == (200, b"taken", b"{}")
