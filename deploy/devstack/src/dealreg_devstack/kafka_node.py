"""One Kafka node, broker and controller in one: its files, its command line, its process."""

import signal
from dataclasses import dataclass
from pathlib import Path

from dealreg_devstack.errors import DevstackFailed
from dealreg_devstack.kafka_programs import KafkaPrograms
from dealreg_devstack.privileges import server_folder
from dealreg_devstack.processes import OwnProcess, last_words, run, start_detached

_JAVA_OPTIONS = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_LOGGING = """\
status = error
shutdownHook = disable
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


@dataclass(frozen=True)
class NodePorts:
    """Where a node listens on 127.0.0.1: for clients, and for the other controllers."""

    broker: int
    controller: int


class KafkaNode:
    """A node in a folder of its own. It knows nothing of the others but their ports."""

    def __init__(self, number: int, folder: Path, ports: NodePorts) -> None:
        self.number = number
        self.folder = folder
        self.ports = ports
        self.process: OwnProcess | None = None

    @property
    def log(self) -> Path:
        """What the node printed, warnings and worse."""
        return self.folder / "log"

    @property
    def running(self) -> bool:
        """Whether the node's process is alive (it may be paused)."""
        return self.process is not None and self.process.alive()

    def configure(self, voters: list["KafkaNode"]) -> None:
        """Write the node's files; `voters` are all nodes of the cluster."""
        server_folder(self.folder)
        server_folder(self.folder / "data")
        server_folder(self.folder / "tmp")
        self._write("server.properties", self._properties(voters))
        self._write("log4j2.properties", _LOGGING)

    def format(self, programs: KafkaPrograms, cluster_id: str) -> None:
        """Prepare the data folder, once in its life."""
        command = [*self._java(programs), "kafka.tools.StorageTool", "format"]
        run([*command, "-t", cluster_id, "-c", self.folder / "server.properties"])

    def start(self, programs: KafkaPrograms) -> None:
        """Start the process; it answers some seconds later."""
        if self.running:
            return
        properties = self.folder / "server.properties"
        self.process = start_detached(
            [*self._java(programs), *_JAVA_OPTIONS, "kafka.Kafka", properties],
            log=self.log,
            mark=str(properties),
        )

    def stop(self) -> None:
        """End the process, killing it when it does not listen."""
        if self.process is not None:
            self.process.end()
            self.process = None

    def kill(self) -> None:
        """Kill the process at once."""
        if self.process is not None:
            self.process.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        if self.process is None:
            raise DevstackFailed(f"Kafka node {self.number} is not started.")
        self.process.signal(number)

    def failure(self) -> str:
        """Why the node does not answer, as far as its log tells."""
        return f"Kafka node {self.number}: {last_words(self.log)} (log: {self.log})"

    def _java(self, programs: KafkaPrograms) -> list[str | Path]:
        return [
            programs.java,
            "-cp",
            programs.class_path,
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
        ]

    def _properties(self, voters: list["KafkaNode"]) -> str:
        replicas = min(3, len(voters))
        quorum = ",".join(f"{node.number}@127.0.0.1:{node.ports.controller}" for node in voters)
        settings = {
            "process.roles": "broker,controller",
            "node.id": self.number,
            "controller.quorum.voters": quorum,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.ports.broker},"
            f"CONTROLLER://127.0.0.1:{self.ports.controller}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.folder / "data",
            "default.replication.factor": replicas,
            "min.insync.replicas": max(1, replicas - 1),
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": max(1, replicas - 1),
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": max(1, replicas - 1),
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
            # A killed node may register again only when its old session has ended.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _write(self, name: str, content: str) -> None:
        file = self.folder / name
        file.write_text(content)
        file.chmod(0o644)  # within a folder that only the server may enter
