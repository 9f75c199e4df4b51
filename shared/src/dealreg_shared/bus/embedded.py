"""The bus without a server: a durable log in one SQLite file, for one machine.

An acknowledged message is on the disk (WAL, synchronous FULL) and outlives kill -9. Several processes
may use one file: they see each other's messages by polling, at once within a process. A topic has one
partition. A group has one active member at a time, held by a lock on a file that the operating system
lets go of when the process ends; other members of the group wait to take over.

The file belongs to the bus alone: services keep their own files, and relays carry over (transactions
across attached WAL files are not atomic).
"""

import asyncio
import fcntl
import json
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from dealreg_shared.bus.headers import key_version
from dealreg_shared.bus.port import BusError, Delivery, Message, Position
from dealreg_shared.contracts.catalogue import TOPICS
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db.wal import use_wal
from dealreg_shared.private_files import make_file, make_folder

T = TypeVar("T")

POLL_SECONDS = 0.2
BUSY_MILLISECONDS = 10_000
PARTITION = 0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB,
    headers TEXT NOT NULL,
    compacted INTEGER NOT NULL,
    version INTEGER
);
CREATE INDEX IF NOT EXISTS ix_message_topic ON message (topic, id);
CREATE INDEX IF NOT EXISTS ix_message_compacted ON message (topic, key, id) WHERE compacted = 1;
CREATE TABLE IF NOT EXISTS position (
    consumers TEXT NOT NULL,
    topic TEXT NOT NULL,
    done INTEGER NOT NULL,
    PRIMARY KEY (consumers, topic)
) WITHOUT ROWID;
"""

_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_COMPACTED = frozenset(topic.name for topic in TOPICS.values() if topic.compacted)


class EmbeddedBus:
    """A ``bus.port.Bus`` on the file ``path``, which is made on first use."""

    def __init__(self, path: Path, *, compacted: Iterable[str] = _COMPACTED) -> None:
        """``compacted`` names the topics of which only the latest message of a key is kept."""
        self.path = path
        self._compacted = frozenset(compacted)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="bus-writer")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="bus-reader")
        self._connections: dict[str, sqlite3.Connection] = {}
        self._waiting: set[asyncio.Event] = set()
        self._closed = False

    async def publish(self, messages: Sequence[Message]) -> None:
        """Append all of ``messages`` in one transaction, or none."""
        for message in messages:
            if message.value is None and message.topic not in self._compacted:
                raise ValueError(f"{message.topic} is not compacted: it takes no tombstones")

        def append() -> None:
            with self._writing("FULL") as conn:
                for message in messages:
                    self._append(conn, message)
                crashpoint("bus.appended")

        await self._in(self._writer, append)
        crashpoint("bus.committed")
        for hint in self._waiting:
            hint.set()

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[str]
    ) -> AsyncIterator["EmbeddedSubscription"]:
        if not _GROUP.fullmatch(group):
            raise ValueError(f"a group's name has letters, digits, dots and hyphens, not {group!r}")
        subscription = EmbeddedSubscription(self, group, topics)
        self._waiting.add(subscription.hint)
        try:
            yield subscription
        finally:
            self._waiting.discard(subscription.hint)
            subscription.leave()

    async def healthy(self) -> bool:
        try:
            return await self.reading(lambda conn: conn.execute("SELECT 1").fetchone() == (1,))
        except BusError:
            return False

    async def close(self) -> None:
        """Close the file. What is under way is finished first."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._reader.shutdown)
        for conn in self._connections.values():
            conn.close()

    async def reading(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` on one view of the log."""

        def read() -> T:
            conn = self._connection("reading")
            conn.execute("BEGIN")
            try:
                return work(conn)
            finally:
                conn.execute("COMMIT")

        return await self._in(self._reader, read)

    async def write_positions(self, group: str, done: Sequence[tuple[str, int]]) -> None:
        """Store a group's positions. Not forced to the disk: a lost one only repeats messages."""

        def write() -> None:
            with self._writing("NORMAL") as conn:
                conn.executemany(
                    "INSERT INTO position VALUES (?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET done = excluded.done",
                    [(group, topic, offset) for topic, offset in done],
                )

        await self._in(self._writer, write)

    def _append(self, conn: sqlite3.Connection, message: Message) -> None:
        compacted = message.topic in self._compacted
        version = key_version(message.headers)
        if compacted:
            of_key = "compacted = 1 AND topic = ? AND key = ?"
            place = (message.topic, message.key)
            newer = f"SELECT 1 FROM message WHERE {of_key} AND version > ?"
            if version is not None and conn.execute(newer, (*place, version)).fetchone():
                return  # a late repetition: what it says is superseded already
            conn.execute(f"DELETE FROM message WHERE {of_key}", place)
        conn.execute(
            "INSERT INTO message (topic, key, value, headers, compacted, version)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                message.topic,
                message.key,
                message.value,
                json.dumps(message.headers),
                int(compacted),
                version,
            ),
        )

    @contextmanager
    def _writing(self, synchronous: str) -> Iterator[sqlite3.Connection]:
        conn = self._connection(synchronous)
        conn.execute("BEGIN IMMEDIATE")
        try:
            yield conn
            conn.execute("COMMIT")
        except BaseException:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            raise

    def _connection(self, purpose: str) -> sqlite3.Connection:
        """The connection for a purpose, made on first use and used in one thread only."""
        conn = self._connections.get(purpose)
        if conn is None:
            make_folder(self.path.parent)
            # Two processes that switch a new file to WAL at once fail without waiting for each other.
            with _locked(Path(f"{self.path}-setup.lock")):
                make_file(self.path)
                conn = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
                try:
                    _set_up(conn, "FULL" if purpose == "reading" else purpose)
                except BaseException:
                    conn.close()
                    raise
            self._connections[purpose] = conn
        return conn

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._closed:
            raise BusError(f"the bus {self.path} is closed")
        future = asyncio.get_running_loop().run_in_executor(pool, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])  # the thread goes on; nobody may go on before it
            raise
        except (sqlite3.Error, OSError) as error:
            raise BusError(f"the bus {self.path}: {error}") from error


class EmbeddedSubscription:
    """A ``bus.port.Subscription``. It delivers while it is its group's active member."""

    def __init__(self, bus: EmbeddedBus, group: str, topics: Sequence[str]) -> None:
        self.hint = asyncio.Event()
        self._bus = bus
        self._group = group
        self._topics = tuple(topics)
        self._lock: int | None = None
        self._done: dict[str, int] = {}
        self._start: dict[str, int] = {}
        self._cursor = 0

    async def fetch(self, limit: int, wait: float) -> Sequence[Delivery]:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            self.hint.clear()
            if await self._is_active():
                deliveries, cursor = await self._bus.reading(lambda conn: self._next(conn, limit))
                self._cursor = cursor  # only now: a fetch that was cancelled has delivered nothing
                if deliveries:
                    return deliveries
            left = until - loop.time()
            if left <= 0:
                return []
            try:
                async with asyncio.timeout(min(POLL_SECONDS, left)):
                    await self.hint.wait()
            except TimeoutError:
                continue

    async def commit(self, positions: Sequence[Position]) -> None:
        done: dict[str, int] = {}
        for position in positions:
            done[position.topic] = max(position.offset, done.get(position.topic, 0))
        if not done or self._lock is None:
            return
        await self._bus.write_positions(self._group, list(done.items()))
        crashpoint("bus.position_stored")
        self._done.update(done)

    async def seek_to_beginning(self) -> None:
        """Also for a member that takes over later: the group's position is the beginning from now on.

        Raises ``BusError`` while another member of the group is active.
        """
        if not await self._is_active():
            raise BusError(f"another member of {self._group} is active; stop it first")
        await self._bus.write_positions(self._group, [(topic, 0) for topic in self._topics])
        self._go_to(dict.fromkeys(self._topics, 0))

    async def lag(self) -> int:
        return await self._bus.reading(self._behind)

    async def extents(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        """Ids count on over all topics, and none is given twice while the file is the same."""
        if self._lock is None:
            return {}
        last = await self._bus.reading(_last_id)
        return {(topic, PARTITION): (0, last + 1) for topic in self._topics}

    def leave(self) -> None:
        """Let another member of the group become active."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _is_active(self) -> bool:
        if self._lock is not None:
            return True
        lock = _try_lock(Path(f"{self._bus.path}-{self._group}.lock"))
        if lock is None:
            return False
        try:
            self._go_to(await self._bus.reading(self._committed))
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock
        return True

    def _go_to(self, done: dict[str, int]) -> None:
        self._done = done
        self._start = dict(done)
        self._cursor = min(done.values(), default=0)

    def _committed(self, conn: sqlite3.Connection) -> dict[str, int]:
        rows = conn.execute("SELECT topic, done FROM position WHERE consumers = ?", (self._group,))
        return dict.fromkeys(self._topics, 0) | {t: n for t, n in rows if t in self._topics}

    def _next(self, conn: sqlite3.Connection, limit: int) -> tuple[list[Delivery], int]:
        """The next deliveries, and the id up to which the log has then been looked through."""
        end: int = conn.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()[0]
        if end <= self._cursor:
            return [], self._cursor
        # The plus keeps SQLite from sorting whole topics: the log is read in the order of its ids.
        wanted = " OR ".join("(+topic = ? AND id > ?)" for _ in self._topics)
        rows = conn.execute(
            f"SELECT id, topic, key, value, headers FROM message"
            f" WHERE id > ? AND ({wanted}) ORDER BY id LIMIT ?",
            (
                self._cursor,
                *(value for topic in self._topics for value in (topic, self._start[topic])),
                limit,
            ),
        ).fetchall()
        cursor = rows[-1][0] if len(rows) == limit else end
        return [_delivery(*row) for row in rows], cursor

    def _behind(self, conn: sqlite3.Connection) -> int:
        done = self._done if self._lock is not None else self._committed(conn)
        return sum(
            int(
                conn.execute(
                    "SELECT count(*) FROM message WHERE topic = ? AND id > ?",
                    (topic, done.get(topic, 0)),
                ).fetchone()[0]
            )
            for topic in self._topics
        )


def _last_id(conn: sqlite3.Connection) -> int:
    row = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
    return 0 if row is None else int(row[0])


def _set_up(conn: sqlite3.Connection, synchronous: str) -> None:
    use_wal(conn)
    for pragma in (
        f"busy_timeout={BUSY_MILLISECONDS}",
        f"synchronous={synchronous}",
        "secure_delete=ON",  # what compaction removes may be a person's data
    ):
        conn.execute(f"PRAGMA {pragma}")
    conn.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA.split(";"):
        conn.execute(statement)
    conn.execute("COMMIT")


def _delivery(row_id: int, topic: str, key: str, value: bytes | None, headers: str) -> Delivery:
    pairs = tuple((str(name), str(text)) for name, text in json.loads(headers))
    return Delivery(Message(topic, key, value, pairs), Position(topic, PARTITION, row_id))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _try_lock(path: Path) -> int | None:
    """The handle of the locked file; None while another member holds it."""
    make_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return handle
