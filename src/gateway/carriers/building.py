"""Providers of what the file of carriers says, wired; nothing is opened before it is first needed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from gateway.carriers.reading import (
    AliyunCarrier,
    Carrier,
    CarriersFile,
    CarriersRefused,
    SmppCarrier,
    SmtpCarrier,
    SubscribeCarrier,
    TencentCarrier,
    read,
)
from kernel.clock import Clock
from notifications.channels.clouds import aliyun, tencent
from notifications.channels.clouds.callbacks import Door
from notifications.channels.email.relay import Relay, RelayServer, Unsubscribe
from notifications.channels.email.writing import Sender
from notifications.channels.provider import Provider
from notifications.channels.smpp.codec import Malformed
from notifications.channels.smpp.driver import SmppProvider
from notifications.channels.subscribe.platform import SubscribePlatform
from notifications.channels.subscribe.texts import SubscribeTexts, TextsRefused
from notifications.channels.subscribe.texts import read as read_subscribe_texts
from notifications.template import ProviderIds

CONNECTED_WITHIN_SECONDS = 5.0


@runtime_checkable
class Checked(Protocol):
    """A provider that can be asked how it is without sending anything."""

    async def check(self) -> str:
        """A few words for operators. Raises when it is not well."""
        ...


@runtime_checkable
class Closed(Protocol):
    """A provider that holds connections."""

    async def close(self) -> None: ...


class CityCarriers(msgspec.Struct, frozen=True):
    """The providers of a city, wired, and what goes with them."""

    providers: list[Provider] = []
    weights: dict[str, int] = {}
    doors: list[Door] = []
    provider_ids: dict[tuple[str, int], dict[str, ProviderIds]] = {}
    """What carriers call the city's texts: by text and version, then by carrier."""
    subscribe_texts: SubscribeTexts = SubscribeTexts()
    addresses: dict[str, tuple[str, int]] = {}
    """Where those listen that can be asked no more than that."""
    mail_from: str | None = None
    """Whom e-mails are from; of several relays, the first's."""

    async def close(self) -> None:
        for provider in self.providers:
            if isinstance(provider, Closed):
                await provider.close()


def carriers_of(path: Path | None, clock: Clock, *, unsubscribe: Unsubscribe | None = None) -> CityCarriers:
    """The carriers a file names; none without a file, and then the demo outbox shows what would be sent.

    Opens nothing. `unsubscribe` makes the address under which bulk e-mail is ended. Raises CarriersRefused.
    """
    if path is None:
        return CityCarriers()
    file = read(path)
    building = _Building(path, clock, unsubscribe)
    try:
        providers = [building.provider_of(carrier) for carrier in file.carriers]
    except (ValueError, OSError, Malformed, TextsRefused) as problem:
        raise CarriersRefused(f"{path}: {problem}") from None
    return CityCarriers(
        providers,
        {carrier.name: carrier.weight for carrier in file.carriers},
        [door for carrier in file.carriers for door in _doors_of(carrier)],
        _provider_ids(file),
        building.subscribe_texts,
        {
            carrier.name: (carrier.host, carrier.port)
            for carrier in file.carriers
            if isinstance(carrier, SmppCarrier | SmtpCarrier)
        },
        next((carrier.sender for carrier in file.carriers if isinstance(carrier, SmtpCarrier)), None),
    )


class _Building:
    """Makes providers of what a file says."""

    def __init__(self, path: Path, clock: Clock, unsubscribe: Unsubscribe | None) -> None:
        self._folder = path.parent
        self._clock = clock
        self._unsubscribe = unsubscribe
        self.subscribe_texts = SubscribeTexts()

    def provider_of(self, carrier: Carrier) -> Provider:
        """Raises ValueError, OSError, Malformed or TextsRefused for what is found wrong only now."""
        match carrier:
            case AliyunCarrier() | TencentCarrier():
                return self._cloud(carrier)
            case SmppCarrier():
                return SmppProvider(carrier, self._clock)
            case SmtpCarrier():
                authorities = None if carrier.authorities is None else self._folder / carrier.authorities
                server = RelayServer(
                    carrier.host, carrier.port, carrier.tls, carrier.user, carrier.password, authorities
                )
                sender = Sender(carrier.sender, carrier.sender_name)
                return Relay(self._clock, server, sender, name=carrier.name, unsubscribe=self._unsubscribe)
            case SubscribeCarrier():
                self.subscribe_texts = read_subscribe_texts(self._folder / carrier.templates)
                return SubscribePlatform(
                    self._clock,
                    carrier.endpoint,
                    carrier.app_id,
                    carrier.secret,
                    self.subscribe_texts,
                    name=carrier.name,
                )

    def _cloud(self, carrier: AliyunCarrier | TencentCarrier) -> Provider:
        endpoint, connections = carrier.endpoint, carrier.connections
        if isinstance(carrier, AliyunCarrier):
            account = aliyun.Account(carrier.access_key_id, carrier.access_key_secret)
            return aliyun.Aliyun(carrier.name, account, self._clock, endpoint=endpoint, connections=connections)
        of_tencent = tencent.Account(carrier.secret_id, carrier.secret_key, carrier.app_id, carrier.region)
        return tencent.Tencent(carrier.name, of_tencent, self._clock, endpoint=endpoint, connections=connections)


def _doors_of(carrier: Carrier) -> list[Door]:
    match carrier:
        case AliyunCarrier():
            return [Door("aliyun", carrier.name, carrier.callback_secret)]
        case TencentCarrier():
            return [Door("tencent", carrier.name, carrier.callback_secret)]
        case _:
            return []


def _provider_ids(file: CarriersFile) -> dict[tuple[str, int], dict[str, ProviderIds]]:
    signatures = {carrier.name: getattr(carrier, "signature", "") for carrier in file.carriers}
    found: dict[tuple[str, int], dict[str, ProviderIds]] = {}
    for text in file.texts:
        signature = text.signature or signatures[text.carrier]
        ids = ProviderIds(text.zh, text.en, signature, text.parameters)
        found.setdefault((text.text, text.version), {})[text.carrier] = ids
    return found


Look = Callable[[], Awaitable[str]]


def looks_of(carriers: CityCarriers) -> Mapping[str, Look]:
    """How to ask each carrier how it is, by name; a few words come back, or it raises."""
    return {provider.name: _look_of(provider, carriers.addresses.get(provider.name)) for provider in carriers.providers}


def _look_of(provider: Provider, address: tuple[str, int] | None) -> Look:
    if isinstance(provider, Checked):
        return provider.check

    async def look() -> str:
        if address is None:
            return "is set up; it cannot be asked without sending"
        async with asyncio.timeout(CONNECTED_WITHIN_SECONDS):
            _, writer = await asyncio.open_connection(*address)
        writer.close()
        return f"{address[0]} listens"

    return look
