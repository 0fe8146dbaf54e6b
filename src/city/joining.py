"""`department`: a department joins the entrance by its manifest, goes live, is taken away; loads, and sends to many."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from city import giving_keys, issuing_loads, locating, sending_batches, steering_batches
from city.errors import CannotStart
from city.reading_settings import read_settings
from gateway import outside
from gateway.departments import onboarding
from gateway.departments.manifest import Manifest, ManifestRefused
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.errors import Refusal
from kernel.settings import Settings

CONNECTIONS_MAX = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may be done, and to which app."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    read = acts.add_parser("read", help="read a manifest and say what it asks for; changes nothing")
    read.add_argument("manifest", type=Path, metavar="MANIFEST", help="a TOML file, e.g. parks.toml")
    register = acts.add_parser("register", help="file a manifest, the first or a new version")
    register.add_argument("manifest", type=Path, metavar="MANIFEST", help="a TOML file, e.g. parks.toml")
    live = acts.add_parser("go-live", help="show an app to residents, once its server answers")
    live.add_argument("slug", metavar="SLUG", help="the app's short name, as in its manifest")
    away = acts.add_parser("suspend", help="take an app away from residents, within a second")
    away.add_argument("slug", metavar="SLUG", help="the app's short name, as in its manifest")
    listing = acts.add_parser("list", help="every app, and whether residents see it")
    issue = acts.add_parser("issue", help="load a file of certificates, as the department does")
    issuing_loads.add_arguments(issue)
    send = acts.add_parser("send", help="send one text to everybody in a file, as the department does")
    sending_batches.add_arguments(send)
    batch = acts.add_parser("batch", help="look how far a department's batches are; pause, resume or cancel one")
    steering_batches.add_arguments(batch)
    key = acts.add_parser("key", help="make, list or revoke API keys of a department's programs")
    giving_keys.add_arguments(key)
    for one in (register, live, away, listing, issue, send, batch, key):
        locating.add_arguments(one)


def run(args: argparse.Namespace) -> int:
    """Do it. Exit 0 when done, 1 when refused and nothing changed; `issue` and `send` have codes of their own."""
    if args.act == "read":
        return _read(args.manifest, args.environ)
    if args.act == "issue":
        return issuing_loads.run(args)
    if args.act == "send":
        return sending_batches.run(args)
    if args.act == "batch":
        return steering_batches.run(args)
    if args.act == "key":
        return giving_keys.run(args)
    with locating.environ_of_city(args) as environ:
        return asyncio.run(_act(args, read_settings(environ), environ))


def _manifest(path: Path, environ: Mapping[str, str]) -> Manifest:
    try:
        return onboarding.read_file(path, variables=environ)
    except ManifestRefused as refused:
        raise CannotStart(
            str(refused), "Correct it and read it again: department read MANIFEST changes nothing."
        ) from None


def _read(path: Path, environ: Mapping[str, str]) -> int:
    manifest = _manifest(path, environ)
    sys.stdout.write(f"{manifest.slug}: served at {manifest.home}, {len(manifest.routes)} routes\n")
    for route in manifest.routes:
        sys.stdout.write(f"  {route.method:<6} {route.path}\n")
    return 0


async def _act(args: argparse.Namespace, settings: Settings, environ: Mapping[str, str]) -> int:
    db = await Database.open(settings.database_url.reveal(), connections_max=CONNECTIONS_MAX)
    try:
        await _do(args, db, environ)
    except Refusal as refused:
        raise CannotStart(f"{refused.title()} {refused.detail or ''}".strip(), "Nothing was changed.") from None
    finally:
        await db.close()
    return 0


async def _do(args: argparse.Namespace, db: Database, environ: Mapping[str, str]) -> None:
    clock, actor, say = SystemClock(), f"operator:{os.geteuid()}", sys.stdout.write
    match args.act:
        case "register":
            filed = await onboarding.register(db, clock, _manifest(args.manifest, environ), actor=actor)
            say(f"{filed.manifest.slug}: version {filed.version} filed, {filed.state}\n")
            say(f"next: department go-live {filed.manifest.slug}\n")
        case "go-live":
            async with outside.open_client(connections_max=CONNECTIONS_MAX) as http:
                live = await onboarding.go_live(db, clock, args.slug, actor=actor, http=http)
            say(f"{live.manifest.slug} is live: /resident/apps/{live.manifest.slug}/…\n")
        case "suspend":
            gone = await onboarding.suspend(db, clock, args.slug, actor=actor)
            say(f"{gone.manifest.slug} is taken away from residents\n")
        case _:
            for app in await onboarding.every_app(db):
                say(f"{app.manifest.slug:<16} {app.state:<10} version {app.version:<4} {app.manifest.home}\n")
