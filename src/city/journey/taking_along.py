"""A certificate is taken along as an SD-JWT VC, and shown to somebody who has never heard of this city's wallet."""

from typing import Final
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec

from city.journey.issuing import IDENTITY_CARD
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage
from city.journey.telling import believed
from suishenban_verify import sd_jwt
from suishenban_verify.sd_jwt import Binding, NotVerified
from suishenban_verify.signatures import LocalSigner, PublicKey, public_key

SHOWN: Final = "birth_date"
STRANGER: Final = "https://stranger.example"


async def play(stage: Stage, me: SignedIn, issued: dict[str, Issued], *, at: int) -> None:
    """Export to another wallet's key; there, withhold all but one value; and verify by what the city publishes.

    `at` is now, in Unix seconds on the city's clock.
    """
    story, card = stage.story, issued[IDENTITY_CARD]
    story.act("A certificate is taken along to another wallet")
    holder = LocalSigner("holder", ec.generate_private_key(ec.SECP256R1()))
    with story.step("Another wallet asks for it, with a key of its own"):
        jwk = {name: holder.public.jwk[name] for name in ("kty", "crv", "x", "y")}
        path = f"/resident/certificates/{card.certificate_id}/sd-jwt"
        made = (await me.app.post(path, {"holder_jwk": jwk}, status=201)).content
        described = (await stage.city.get(f"/types/{card.kind_code}")).content
        story.equal("its type is described where it says", expected=made["vct"], seen=described["vct"])
    with story.step("A stranger fetches whose keys sign credentials here"):
        published = (await stage.city.get("/.well-known/jwt-vc-issuer")).content
        keys = [public_key(jwk) for jwk in published["jwks"]["keys"]]
        story.equal("the city says whose they are", expected=made["issuer"], seen=published["issuer"])
    with story.step("The other wallet shows one value, and withholds the rest"):
        asked = Binding(STRANGER, str(uuid4()))
        with believed("what the city signed is believed", NotVerified):
            shown = sd_jwt.bind(sd_jwt.choose(made["sd_jwt"], [SHOWN]), holder, asked, at=at)
            claims = sd_jwt.verify(shown, keys, issuer=made["issuer"], now=at, binding=asked).claims
        told = {name: claims[name] for name in card.values if name in claims}
        story.equal("the stranger learns that and nothing else", expected={SHOWN: card.values[SHOWN]}, seen=told)
        story.holds(
            "and where to ask whether it still holds",
            "status_list" in claims.get("status", {}),
            expected="a place in a status list",
            seen=claims,
        )
    with story.step("It is shown once more, to somebody else; and with a value made up"):
        other = Binding(STRANGER, str(uuid4()))
        story.equal(
            "a proof serves whom it was made for, once",
            expected=False,
            seen=_holds(shown, keys, made["issuer"], other, at),
        )
        head, _, tail = shown.partition("~")
        forged = f"{head}~{tail[:8]}{'A' if tail[8] != 'A' else 'B'}{tail[9:]}"
        story.equal(
            "what the city did not sign is worth nothing",
            expected=False,
            seen=_holds(forged, keys, made["issuer"], asked, at),
        )


def _holds(shown: str, keys: list[PublicKey], issuer: str, asked: Binding, at: int) -> bool:
    try:
        sd_jwt.verify(shown, keys, issuer=issuer, now=at, binding=asked)
    except NotVerified:
        return False
    return True
