"""Who an account is to the mini-program: what subscribe messages are addressed to."""

from gateway.residents import queries
from kernel.db import Connection
from kernel.ids import AccountId
from kernel.sealing import Keys


class Chats:
    """Opens the openids that accounts are linked to."""

    def __init__(self, keys: Keys) -> None:
        self._sealer = keys.sealer("gateway.openid")

    def seal(self, account_id: AccountId, openid_digest: bytes, openid: str) -> bytes:
        return self._sealer.seal(openid.encode(), account_id.bytes + openid_digest)

    async def openid_of(self, conn: Connection, account_id: AccountId) -> str | None:
        """The user linked last; None if the account is linked to none."""
        row = await queries.select_chat_linked_last(conn, account_id)
        if row is None:
            return None
        return self._sealer.unseal(row["openid"], account_id.bytes + row["openid_digest"]).decode()
