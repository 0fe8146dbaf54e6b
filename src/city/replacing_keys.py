"""`keys signing`, `roots` and `leaked`: which keys sign, a new one in time, another at once when one leaked."""

import argparse
import asyncio
import os
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from city import locating
from city.errors import CannotStart
from city.reading_settings import read_settings
from kernel.clock import SystemClock, in_shanghai
from kernel.db import Database, DatabaseAway
from kernel.keys import SigningKey, SigningKeys, Stage
from kernel.purposes import FOR_EVER, PURPOSES
from kernel.sealing import KeyFileRefused, Keys
from kernel.settings import Settings
from suishenban_verify.signatures import PublicKey, b64url, thumbprint
from wallet.trust.listing import roots_of

CONNECTIONS_MAX = 2

WIDTH = 100


class Follows(NamedTuple):
    """When a key of one purpose leaked: what follows by itself, and what the operator must do."""

    by_itself: str
    to_do: str


FOLLOWS = {
    "access": Follows(
        by_itself="Within a second no access token it signed is taken any more. Residents and staff get a new one by"
        " their refresh token, machines by their own key; nobody needs a code by SMS.",
        to_do="Look through the audit (GET /operator/audit) for acts that nobody owns up to since the key was out.",
    ),
    "department": Follows(
        by_itself="Departments' servers learn the new key with the next call it signs, and drop the old one when they"
        " fetch the key set for it.",
        to_do="Tell the departments: until their servers fetched the key set, whoever had the key could call them in"
        " anybody's name. Let them look through their own records, and restart a server that does not fetch.",
    ),
    "offline": Follows(
        by_itself="Venues refuse its codes as soon as they fetch the next trust list, those too that phones fetched"
        " ahead for use without a network: each phone must fetch fresh ones. The key that signs now is known to"
        " every venue whose trust list names it, so nobody else is turned away.",
        to_do="Tell the venues to fetch the trust list now; a device without a network believes the old key until its"
        " list expires. Look at the scans such devices upload from since the key was out.",
    ),
    "status": Follows(
        by_itself="The worker signs every status list again within 30 seconds. Venues refuse the lists they hold once"
        " they fetched the trust list, and until they fetched the new ones they cannot tell, and never say yes.",
        to_do="See that the worker runs (./run check). Tell the venues to fetch the trust list and the status lists"
        " now: until then a forged list can call a revoked certificate good.",
    ),
    "vc": Follows(
        by_itself="What was exported under it is refused by everybody who fetched the trust list since. The"
        " certificates themselves are untouched.",
        to_do="Tell the holders to export again whatever they keep in other wallets.",
    ),
    "trust": Follows(
        by_itself="The next root signs the trust list from now on. Devices that read a list before know it from there.",
        to_do="Whoever had the key can write trust lists, with roots of their own. Have every venue throw away the"
        " lists it holds and pin the new root by hand, its key id read out by telephone; tell the cities that trust"
        " ours.",
    ),
    "ledger": Follows(
        by_itself="The checkpoints it signed prove nothing any more; the log itself, and what others keep of its"
        " sizes and roots, stand. The next checkpoint is signed by the new key.",
        to_do="Publish size and root of the last checkpoint that you trust by another way, and audit the log against"
        " checkpoints that others kept: what those cover, nobody can have changed without being found.",
    ),
}
assert FOLLOWS.keys() == PURPOSES.keys()


def add_arguments(parser: argparse.ArgumentParser, act: str) -> None:
    """The options of one of the three."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    if act == "leaked":
        parser.epilog = (
            "Exit 0 when the key is revoked and another signs, 1 when nothing was changed: there is no such key, it\n"
            "was revoked before, nobody said yes, or the database cannot be reached. Needs the city's database; the\n"
            "city may run. keys signing lists the key ids."
        )
        parser.add_argument("key_id", metavar="KEY_ID", help="the key that leaked, e.g. offline-20260302-1a2b3c4d")
        parser.add_argument("--yes", action="store_true", help="do not ask whether you mean it")
    elif act == "roots":
        parser.epilog = (
            "A line for each key of the trust list, the one that signs and those announced: its id, algorithm and\n"
            "thumbprint, just as suishenban-verify roots shows what a device trusts. Read them to venues and to other\n"
            "cities by another way than the network that brought them the keys: by telephone, on paper.\n"
            "Exit 0 when done, 1 when there are none yet or the database cannot be reached."
        )
    else:
        parser.epilog = (
            "Without words, every key: its id, algorithm, stage and hours, Asia/Shanghai. rotate announces a new key\n"
            "that takes over once it was announced long enough; the old one stays trusted while what it signed lives.\n"
            "Exit 0 when done, 1 when the database cannot be reached."
        )
        parser.add_argument("verb", nargs="?", choices=("rotate",), help="announce the next key of a purpose")
        parser.add_argument("purpose", nargs="?", choices=tuple(PURPOSES), help="of which purpose")
    locating.add_arguments(parser)
    parser.set_defaults(parser=parser)


def run(args: argparse.Namespace) -> int:
    """Do it. Exit 0 when done, 1 when refused and nothing changed."""
    if args.act == "signing" and (args.verb is None) != (args.purpose is None):
        args.parser.error("say of which purpose: rotate PURPOSE")
    locating.demand_city(args)
    with locating.environ_of_city(args) as environ:
        return asyncio.run(_act(args, read_settings(environ)))


async def _act(args: argparse.Namespace, settings: Settings) -> int:
    actor = f"operator:{os.geteuid()}"
    async with _opened(settings) as signing_keys:
        if args.act == "leaked":
            await _give_up(signing_keys, args.key_id, is_sure=args.yes, actor=actor)
        elif args.act == "signing" and args.verb == "rotate":
            key_id = await signing_keys.rotate(args.purpose, actor=actor)
            [key] = [key for key in signing_keys.snapshot.current if key.key_id == key_id]
            _say(f"{key_id} is announced and signs from {in_shanghai(key.signs_from):%Y-%m-%d %H:%M}")
        elif args.act == "roots":
            _read_out(roots_of(signing_keys))
        else:
            _list(signing_keys)
    return 0


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[SigningKeys]:
    try:
        sealer = Keys.read(settings.key_file).sealer("kernel.signing_key")
        db = await Database.open(settings.database_url.reveal(), connections_max=CONNECTIONS_MAX)
    except KeyFileRefused as refused:
        raise CannotStart(f"The key file cannot be used: {refused}.", "Restore it; nothing was changed.") from None
    except DatabaseAway as away:
        raise CannotStart(f"{away}.", "Start the city or its database, then say this again.") from None
    try:
        signing_keys = SigningKeys(db, sealer, SystemClock())
        await signing_keys.snapshot.refresh()
        yield signing_keys
    finally:
        await db.close()


async def _give_up(signing_keys: SigningKeys, key_id: str, *, is_sure: bool, actor: str) -> None:
    key = next((key for key in signing_keys.snapshot.current if key.key_id == key_id), None)
    if key is None:
        raise CannotStart(f"There is no signing key {key_id}.", "keys signing lists them. Nothing was changed.")
    if key.revoked_at is not None:
        raise CannotStart(
            f"{key_id} was revoked before, on {in_shanghai(key.revoked_at):%Y-%m-%d %H:%M}.", "Nothing was changed."
        )
    follows = FOLLOWS[key.purpose]
    _say(f"{key_id} is a key of the purpose {key.purpose}; its stage: {signing_keys.stage_of(key)}.")
    _say(f"If it is given up: {follows.by_itself}")
    if not is_sure:
        _ask(key_id)
    if not await signing_keys.revoke(key_id, actor=actor):
        raise CannotStart(f"Somebody else revoked {key_id} just now.", "Nothing was changed by this command.")
    signer = signing_keys.signer(key.purpose)
    _say(f"{key_id} is revoked. {signer.key_id} signs for {key.purpose}.")
    _say(f"What you must do now: {follows.to_do}")


def _ask(key_id: str) -> None:
    if not sys.stdin.isatty():
        raise CannotStart("Nobody is there to be asked.", "If you mean it, say --yes. Nothing was changed.")
    sys.stdout.write(f"This cannot be taken back. Type yes to give {key_id} up: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip() != "yes":
        raise CannotStart("You did not say yes.", "Nothing was changed.")


def _list(signing_keys: SigningKeys) -> None:
    """Those that are gone are left out; those that were revoked are not, as long as people are told of them."""
    now = SystemClock().now()
    hours = "  ".join(f"{name:<16}" for name in ("announced", "signs from", "signs until"))
    sys.stdout.write(f"{'key':<32} {'algorithm':<9}  {'stage':<10} {hours}  trusted until\n")
    for purpose in PURPOSES:
        for key in signing_keys.snapshot.current:
            if key.purpose == purpose and key.listed_at(now):
                sys.stdout.write(_line(key, signing_keys.stage_of(key)))


def _read_out(roots: Sequence[PublicKey]) -> None:
    """As a device shows what it trusts, so that two people on the telephone read the same line."""
    if not roots:
        raise CannotStart("This city has no root keys yet.", "Start it once: its worker makes them.")
    sys.stdout.writelines(f"{root.key_id}  {root.algorithm}  {b64url(thumbprint(root.jwk))}\n" for root in roots)


def _line(key: SigningKey, stage: Stage) -> str:
    hours = [f"{in_shanghai(at):%Y-%m-%d %H:%M}" for at in (key.announced_at, key.signs_from, key.signs_until)]
    if key.revoked_at is not None:
        trusted = f"revoked {in_shanghai(key.revoked_at):%Y-%m-%d %H:%M}"
    else:
        trusted = "for ever" if key.trusted_until == FOR_EVER else f"{in_shanghai(key.trusted_until):%Y-%m-%d %H:%M}"
    return f"{key.key_id:<32} {key.public.algorithm:<9}  {stage:<10} {'  '.join(hours)}  {trusted}\n"


def _say(text: str) -> None:
    sys.stdout.write(textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False) + "\n")
