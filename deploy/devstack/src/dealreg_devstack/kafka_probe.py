"""Asks a Kafka broker which brokers it knows, in twenty bytes, so that no client is needed."""

import socket
import struct

_METADATA, _VERSION = 3, 4
_TIMEOUT = 2.0  # seconds, for connecting and for each read


def known_brokers(port: int) -> set[int]:
    """The ids of the brokers in the cluster as the one on 127.0.0.1:`port` sees them.

    Empty when it does not answer (yet). A Metadata request, version 4, for no topics.
    """
    request = struct.pack(">hhih", _METADATA, _VERSION, 1, -1) + struct.pack(">ib", 0, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            (size,) = struct.unpack(">i", _read(connection, 4))
            return _broker_ids(_read(connection, size))
    except OSError:
        return set()


def _broker_ids(answer: bytes) -> set[int]:
    position = 8  # after the correlation id and the throttle time
    (count,) = struct.unpack_from(">i", answer, position)
    position += 4
    brokers = set()
    for _ in range(count):
        (broker,) = struct.unpack_from(">i", answer, position)
        brokers.add(broker)
        position = _after_string(answer, position + 4) + 4  # host, port
        position = _after_string(answer, position)  # rack, -1 long when there is none
    return brokers


def _after_string(answer: bytes, position: int) -> int:
    (length,) = struct.unpack_from(">h", answer, position)
    return position + 2 + int(max(length, 0))


def _read(connection: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ConnectionError("the broker closed the connection")
        parts += part
    return parts
