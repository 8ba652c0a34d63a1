"""`journeykit serve`: a workspace as a service, over HTTP."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from typing import cast

import click

from journeykit.builtin.metrics import Metrics
from journeykit.cli.operating import in_workspace, with_dry_run, with_durability
from journeykit.cli.run import announce
from journeykit.cli.watch_daily import DailyWatch
from journeykit.local.door import Door
from journeykit.local.embedded import (
    Embedded,
    Synchronous,
    collect_less_often,
    wall_clock,
)
from journeykit.local.http_keys import Keys
from journeykit.local.http_server import DoorServer
from journeykit.local.service import Service
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace


@click.command("serve")
@in_workspace
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8080,
    show_default=True,
    help="At which port; 0: whichever is free.",
)
@click.option(
    "--keys",
    "keys_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="API keys, NAME:SHA256 a line; else those of JOURNEYKIT_API_KEYS.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="How many batches of one channel go at the same time.",
)
@with_durability
@with_dry_run
@click.option("--quiet", is_flag=True, help="Log warnings and errors only.")
def command(
    *,
    workspace: Path,
    host: str,
    port: int,
    keys_path: Path | None,
    data: Path | None,
    synchronous: str,
    workers: int,
    publish: bool,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Take events over HTTP, let time pass, and send what the journeys of WORKSPACE send.

    SIGTERM or Ctrl-C stops it when what was accepted is done. SIGKILL loses nothing
    either: what was answered with 200 is stored.
    """
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    loaded = Workspace.load(workspace)
    manager = plugin_manager()
    registry = Registry.from_plugins(manager)
    keys = Keys.from_file(keys_path) if keys_path else Keys.from_environment(os.environ)
    with Embedded.open(
        loaded,
        registry,
        data=data,
        synchronous=cast(Synchronous, synchronous),
        workers=workers,
        observers=registry.observers,
        dry_run=dry_run,
    ) as embedded:
        announce(embedded, publish=publish, dry_run=dry_run)
        collect_less_often()
        embedded.catalog()  # better now than with the first event
        embedded.visits.unfinished(now=wall_clock())
        metrics = cast(Metrics, manager.get_plugin("metrics"))
        # A dry run has sent nothing that anybody would be told of.
        daily = DailyWatch(workspace, data) if not dry_run else None
        service = Service(embedded, metrics=metrics.text, watch=daily)
        door = Door(
            service,
            keys=keys,
            channels=embedded.channels,
            links=loaded.links,
            workspace=loaded.name,
            inbox=embedded.store,
            decide=service.decide,
            sources=loaded.sources(registry),
        )
        server = DoorServer(door, host=host, port=port)
        _serve(service, server, loaded.name, daily)


def _serve(
    service: Service, server: DoorServer, name: str, daily: DailyWatch | None
) -> None:
    """Serve until a signal comes."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: signal.signal(n, lambda *_: stop.set()) for n in numbers}
    service.start()
    try:
        server.start()
        click.echo(f"{name}: http://{server.host}:{server.port}, Ctrl-C stops it")
        stop.wait()
        click.echo("stopping", err=True)
        server.stop()
    finally:
        if daily is not None:
            daily.stop()
        service.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
