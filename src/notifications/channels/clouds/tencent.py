"""Tencent Cloud's SMS (2021-01-11) as a provider: SendSms, one number at a time.

Source: cloud.tencent.com document/api/382/55981 (SendSms). It takes no free words, only a template that was approved
there, whose gaps are filled in the order of `ProviderText.parameters`; our reference goes along as the session's
context, and comes back in the report where the account has that turned on (`ext`).
"""

import asyncio
import json

import msgspec

from kernel.clock import Clock
from kernel.log import get_logger
from kernel.settings import Secret
from notifications.channels.clouds import refusals, signing_tc3
from notifications.channels.clouds.calling import Client, NotConnected, NotUnderstood, NotWell
from notifications.channels.provider import Accepted, Refused, Sms, TakeReceipts, TakeTexts
from notifications.model import Channel

ENDPOINT = "https://sms.tencentcloudapi.com"
SERVICE = "sms"
VERSION = "2021-01-11"
REGION = "ap-guangzhou"
CONNECTIONS = 64
KNOWS_US = ("AuthFailure.UnauthorizedOperation", "UnauthorizedOperation.CamUnauthorizedOperation")
"""A key that may send and not list templates is as it should be."""
NO_TEMPLATE = Refused("message", "no template")

log = get_logger(__name__)


class Fault(msgspec.Struct, frozen=True, rename="pascal"):
    code: str


class SendStatus(msgspec.Struct, frozen=True, rename="pascal"):
    """What became of one number of a call."""

    code: str
    serial_no: str = ""


class Said(msgspec.Struct, frozen=True, rename="pascal"):
    error: Fault | None = None
    send_status_set: list[SendStatus] = []


class Envelope(msgspec.Struct, frozen=True, rename="pascal"):
    response: Said


class Account(msgspec.Struct, frozen=True):
    """Whose calls they are, and of which of its applications (SdkAppId)."""

    secret_id: str
    secret_key: Secret
    app_id: str
    region: str = REGION


def send_sms(host: str, account: Account, sms: Sms) -> signing_tc3.Call:
    """The call that sends one SMS; it must have a template. Its body is what the official SDK writes, byte for byte."""
    assert sms.template is not None
    body = {
        "PhoneNumberSet": [sms.phone],
        "SmsSdkAppId": account.app_id,
        "TemplateId": sms.template.provider_template,
        "SignName": sms.template.signature,
        "TemplateParamSet": list(sms.template.parameters.values()),
        "SessionContext": sms.reference,
    }
    return _call(host, account, "SendSms", body)


def _call(host: str, account: Account, action: str, body: object) -> signing_tc3.Call:
    return signing_tc3.Call(host, SERVICE, action, VERSION, account.region, json.dumps(body).encode())


class Tencent:
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
    ) -> None:
        self.name = name
        self.at_once_max = connections
        self._account = account
        self._clock = clock
        self._client = Client(endpoint, connections=connections)

    def announce(self) -> None:
        log.info("SMS leave through a cloud's API", provider=self.name, host=self._client.host)

    async def send(self, parcel: Sms, /) -> Accepted | Refused:
        """Hand one SMS over. Raises NotCertain, NotUnderstood, TimeoutError and whatever a connection dies of."""
        if parcel.template is None:
            return NO_TEMPLATE
        try:
            said = await self._ask(send_sms(self._client.host, self._account, parcel))
        except NotConnected as problem:
            return Refused("busy", str(problem))
        if said.error is not None:
            return refusals.of_tencent(said.error.code)
        if len(said.send_status_set) != 1:
            raise NotUnderstood("not one status for one number")
        (status,) = said.send_status_set
        if status.code != "Ok":
            return refusals.of_tencent(status.code)
        return Accepted((status.serial_no,) if status.serial_no else ())

    async def check(self) -> str:
        """Ask it something that sends nothing; what to say when it knows us. Raises NotWell, and as `send` does."""
        body = {"International": 0, "Limit": 1, "Offset": 0}
        said = await self._ask(_call(self._client.host, self._account, "DescribeSmsTemplateList", body))
        if said.error is not None and not said.error.code.startswith(KNOWS_US):
            raise NotWell(f"it says {said.error.code}")
        return f"{self._client.host} knows our key"

    async def _ask(self, call: signing_tc3.Call) -> Said:
        account = self._account
        headers = signing_tc3.headers_of(
            call, secret_id=account.secret_id, secret_key=account.secret_key.reveal(), at=self._clock.now()
        )
        answer = await self._client.post(headers, body=call.body)
        try:
            return msgspec.json.decode(answer.body, type=Envelope).response
        except msgspec.MsgspecError:
            raise NotUnderstood(f"status {answer.status}") from None

    async def receipts(self, take: TakeReceipts, hear: TakeTexts) -> None:
        """They come by HTTP (`callbacks`), to whichever web process is reached."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        await self._client.close()
