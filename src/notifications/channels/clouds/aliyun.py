"""Aliyun's short message service (Dysmsapi 2017-05-25) as a provider: SendSms, one number at a time.

Source: help.aliyun.com document_detail/55284 (SendSms). It takes no free words, only a template that was approved
there, and tells no repetition by our reference (it is not idempotent, it says): a submission whose answer is lost is
*unknown* until its report comes, which carries the reference (`out_id`). It takes the number and the values in the
query, as its official SDK sends them; we write an address with a query nowhere.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from secrets import token_hex

import msgspec

from kernel.clock import Clock
from kernel.log import get_logger
from kernel.settings import Secret
from notifications.channels.clouds import numbers, refusals, signing_acs3
from notifications.channels.clouds.calling import Client, NotConnected, NotUnderstood, NotWell
from notifications.channels.provider import Accepted, Refused, Sms, TakeReceipts, TakeTexts
from notifications.model import Channel

ENDPOINT = "https://dysmsapi.aliyuncs.com"
VERSION = "2017-05-25"
USER_AGENT = "suishenban"
CONNECTIONS = 64
NO_TEMPLATE = Refused("message", "no template")
MISTAKEN = Refused("message", "mistaken for a mainland number")
"""Said by us: another carrier can write the number so that it is understood."""
NONCE_BYTES = 16
KNOWS_US = ("NoPermission", "Forbidden.RAM", "isp.RAM_PERMISSION_DENY")
"""A key that may send and not list templates is as it should be."""

log = get_logger(__name__)


class Said(msgspec.Struct, frozen=True, rename="pascal"):
    """What any of its actions answers."""

    code: str
    biz_id: str = ""


class Account(msgspec.Struct, frozen=True):
    """Whose calls they are."""

    key_id: str
    secret: Secret


def send_sms(host: str, sms: Sms) -> signing_acs3.Call:
    """The call that sends one SMS; it must have a template."""
    assert sms.template is not None
    query = {
        "OutId": sms.reference,
        "PhoneNumbers": numbers.to_aliyun(sms.phone),
        "SignName": sms.template.signature,
        "TemplateCode": sms.template.provider_template,
    }
    if sms.template.parameters:
        query["TemplateParam"] = msgspec.json.encode(sms.template.parameters).decode()
    return signing_acs3.Call(host, "SendSms", VERSION, query)


class Aliyun:
    """A provider of SMS. `close` it at the end."""

    channel: Channel = "sms"
    receipts_come = True
    takes_kept_texts = True

    def __init__(
        self,
        name: str,
        account: Account,
        clock: Clock,
        *,
        endpoint: str = ENDPOINT,
        connections: int = CONNECTIONS,
        nonce: Callable[[], str] = lambda: token_hex(NONCE_BYTES),
    ) -> None:
        self.name = name
        self.at_once_max = connections
        self._account = account
        self._clock = clock
        self._nonce = nonce
        self._client = Client(endpoint, connections=connections)

    def announce(self) -> None:
        log.info("SMS leave through a cloud's API", provider=self.name, host=self._client.host)

    async def send(self, parcel: Sms, /) -> Accepted | Refused:
        """Hand one SMS over. Raises NotCertain, NotUnderstood, TimeoutError and whatever a connection dies of."""
        if parcel.template is None:
            return NO_TEMPLATE
        if numbers.is_mistaken_by_aliyun(parcel.phone):
            return MISTAKEN
        try:
            said = await self._ask(send_sms(self._client.host, parcel))
        except NotConnected as problem:
            return Refused("busy", str(problem))
        if said.code != "OK":
            return refusals.of_aliyun(said.code)
        return Accepted((said.biz_id,) if said.biz_id else ())

    async def check(self) -> str:
        """Ask it something that sends nothing; what to say when it knows us. Raises NotWell, and as `send` does."""
        query = {"PageIndex": "1", "PageSize": "1"}
        said = await self._ask(signing_acs3.Call(self._client.host, "QuerySmsTemplateList", VERSION, query))
        if said.code != "OK" and not said.code.startswith(KNOWS_US):
            raise NotWell(f"it says {said.code}")
        return f"{self._client.host} knows our key"

    async def _ask(self, call: signing_acs3.Call) -> Said:
        at: datetime = self._clock.now()
        headers = signing_acs3.headers_of(
            call,
            key_id=self._account.key_id,
            secret=self._account.secret.reveal(),
            at=at,
            nonce=self._nonce(),
            user_agent=USER_AGENT,
        )
        answer = await self._client.post(headers, query=signing_acs3.canonical_query(call.query))
        try:
            return msgspec.json.decode(answer.body, type=Said)
        except msgspec.MsgspecError:
            raise NotUnderstood(f"status {answer.status}") from None

    async def receipts(self, take: TakeReceipts, hear: TakeTexts) -> None:
        """They come by HTTP (`callbacks`), to whichever web process is reached."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        await self._client.close()
