"""Every refusal of offline codes and of what is uploaded of them."""

from kernel.errors import Conflict, Unavailable, Unprocessable


class KindNotOffline(Conflict):
    """Certificates of this kind cannot be shown without network."""

    code = "wallet.kind_not_offline"


class HolderKeyRefused(Unprocessable):
    """A key of the phone is not a public key on P-256 or Ed25519, or stands twice."""

    code = "wallet.holder_key_refused"


class OfflineCodeTooLong(Unprocessable):
    """So much does not fit into one code: show fewer certificates or fields, or use an online code."""

    code = "wallet.offline_code_too_long"


class UploadsCollide(Unavailable):
    """Other devices are uploading the same codes at this moment; nothing was recorded, send the same again."""

    code = "wallet.uploads_collide"
