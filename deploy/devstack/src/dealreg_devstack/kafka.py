"""An Apache Kafka cluster of one's own: one node or three, broken on purpose if need be.

It must not know any topic: whoever uses it creates its own.
"""

import base64
import shutil
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ClassVar

from dealreg_devstack.errors import DevstackFailed
from dealreg_devstack.kafka_node import KafkaNode, NodePorts
from dealreg_devstack.kafka_probe import known_brokers
from dealreg_devstack.kafka_programs import KafkaPrograms, find_kafka_programs
from dealreg_devstack.processes import OwnProcess, eventually, free_port
from dealreg_devstack.server import OwnServer
from dealreg_devstack.statefile import read_state, write_state

_START_PATIENCE = 90.0  # seconds; 2 suffice on a machine that has nothing else to do


class Kafka(OwnServer):
    """A cluster of `nodes` brokers on 127.0.0.1 (1 or 3), numbered from 1.

    With no `folder` it is temporary: `stop` removes its data. With three nodes every topic has
    three replicas and a write needs two.
    """

    prefix: ClassVar[str] = "dealreg-kafka-"

    def __init__(self, folder: Path | None = None, *, nodes: int = 1) -> None:
        if nodes not in (1, 3):
            raise ValueError(f"nodes is {nodes}: a cluster has 1 or 3.")
        super().__init__(folder)
        self._count = nodes
        self._nodes: dict[int, KafkaNode] = {}
        self._cluster_id = ""
        self._formatted = False
        self._programs: KafkaPrograms | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port` of every node, separated by commas."""
        return ",".join(f"127.0.0.1:{node.ports.broker}" for node in self._nodes.values())

    @property
    def running(self) -> bool:
        """Whether all nodes' processes are alive."""
        return bool(self._nodes) and all(node.running for node in self._nodes.values())

    @property
    def pids(self) -> dict[int, int]:
        """The process id of each node that was started and not stopped."""
        return {n: node.process.pid for n, node in self._nodes.items() if node.process}

    def stop(self) -> None:
        """Stop every node by its own process id; remove the data if the cluster is temporary."""
        if not self._nodes:
            self._recall()
        if self._nodes:
            # Of a cluster whose data goes, nothing is worth the seconds of an orderly end.
            end = KafkaNode.kill if self._temporary else KafkaNode.stop
            with ThreadPoolExecutor(len(self._nodes)) as pool:
                list(pool.map(end, self._nodes.values()))
        if self._temporary and self.folder is not None:
            shutil.rmtree(self.folder)
            self.folder = None
            self._nodes = {}
            self._formatted = False

    def kill(self, node: int = 1) -> None:
        """Kill a node at once, as a power cut would. Returns when it is gone."""
        self._nodes[node].kill()

    def restart(self, node: int = 1) -> None:
        """Start a node again on the same ports (stopping it if it runs) and wait for it."""
        self._nodes[node].stop()
        self._nodes[node].start(self._found_programs())
        self._wait([node])
        self._remember()

    def pause(self, node: int = 1) -> None:
        """Stop a node's time (SIGSTOP): its connections stay open and nothing answers."""
        self._nodes[node].signal(signal.SIGSTOP)

    def resume(self, node: int = 1) -> None:
        """Let a paused node go on."""
        self._nodes[node].signal(signal.SIGCONT)

    def _bring_up(self) -> None:
        programs = self._found_programs()
        for attempt in (1, 2, 3):
            # Also for a cluster that ran before: its ports may be somebody else's by now.
            self._configure()
            if not self._formatted:
                self._format(programs)
            for node in self._nodes.values():
                node.start(programs)
            self._remember()
            try:
                self._wait(list(self._nodes))
            except DevstackFailed as error:
                if attempt == 3 or "BindException" not in str(error):
                    raise
                for node in self._nodes.values():
                    node.stop()
            else:
                return

    def _configure(self) -> None:
        folder = self._own_folder()
        if (folder / "node-1").exists() and not self._nodes:
            raise DevstackFailed(f"{folder} has data and no server.json: remove the folder.")
        old = dict(self._nodes)
        self._nodes = {}
        for number in range(1, self._count + 1):
            ports = NodePorts(free_port(), free_port())
            node = KafkaNode(number, folder / f"node-{number}", ports)
            if number in old:
                old[number].stop()
            self._nodes[number] = node
        self._remember()
        for node in self._nodes.values():
            node.configure(list(self._nodes.values()))
            node.log.unlink(missing_ok=True)

    def _format(self, programs: KafkaPrograms) -> None:
        for node in self._nodes.values():
            shutil.rmtree(node.folder / "data")  # what an interrupted start left
        self._cluster_id = _new_cluster_id()
        for node in self._nodes.values():
            node.configure(list(self._nodes.values()))
        with ThreadPoolExecutor(len(self._nodes)) as pool:
            list(
                pool.map(lambda node: node.format(programs, self._cluster_id), self._nodes.values())
            )
        self._formatted = True
        self._remember()

    def _wait(self, numbers: list[int]) -> None:
        """Until each of the nodes answers and knows of all of them."""
        everybody = set(numbers)

        def settled(node: KafkaNode) -> bool:
            return not node.running or everybody <= known_brokers(node.ports.broker)

        for node in (self._nodes[number] for number in numbers):
            if not eventually(partial(settled, node), within=_START_PATIENCE):
                raise DevstackFailed(f"No answer within {_START_PATIENCE:.0f} s: {node.failure()}")
            if not node.running:
                raise DevstackFailed(f"Did not start: {node.failure()}")

    def _remember(self) -> None:
        nodes = [
            {
                "broker": node.ports.broker,
                "controller": node.ports.controller,
                "process": node.process.to_state() if node.process else None,
            }
            for node in self._nodes.values()
        ]
        state = {"cluster_id": self._cluster_id, "formatted": self._formatted, "nodes": nodes}
        write_state(self._own_folder() / "server.json", state)

    def _recall(self) -> None:
        state = read_state(self.folder / "server.json") if self.folder else None
        if state is None:
            return
        self._cluster_id, self._formatted = state["cluster_id"], state["formatted"]
        if self._formatted:
            self._count = len(state["nodes"])
        for number, known in enumerate(state["nodes"], start=1):
            ports = NodePorts(known["broker"], known["controller"])
            node = KafkaNode(number, self._own_folder() / f"node-{number}", ports)
            if known["process"]:
                node.process = OwnProcess.from_state(known["process"])
            self._nodes[number] = node

    def _found_programs(self) -> KafkaPrograms:
        if self._programs is None:
            self._programs = find_kafka_programs()
        return self._programs

    def _own_folder(self) -> Path:
        if self.folder is None:
            raise DevstackFailed("Kafka is not started.")
        return self.folder


def _new_cluster_id() -> str:
    """22 characters of URL-safe base64; the tool takes a leading hyphen for an option."""
    while True:
        name = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not name.startswith("-"):
            return name
