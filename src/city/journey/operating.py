"""Staff sign in by phone: an operator, a clerk, a supervisor; as often as one phone may."""

import re
from typing import Final, Literal

from city.journey.calling import Caller, until
from city.journey.stage import ARRIVES_WITHIN_SECONDS, Phone, Stage
from city.journey.telling import Broken

ROLE: Final = "operator"
_NUMBER: Final = re.compile(r"\+86\d{11}")
_CODE: Final = re.compile(r"(?<!\d)\d{6}(?!\d)")


async def sign_in(stage: Stage) -> Caller | None:
    """An operator, signed in; see `sign_in_as`. Raises Broken."""
    how = next((role.how for role in stage.cast.roles if role.role == ROLE), "")
    number = _NUMBER.search(how)
    if number is None:
        raise Broken("the cast names an operator who signs in by phone", "a phone", how)
    return await sign_in_as(stage, ROLE, number[0])


async def sign_in_as(stage: Stage, audience: Literal["operator", "department"], number: str) -> Caller | None:
    """Staff with this phone; None where it has asked for as many codes as it may for now. Raises Broken.

    Another journey's may sign in at the same moment, by the same phone: each tries the codes that arrive.
    """
    phone = Phone(stage, number)
    await phone.forget()
    asked = await stage.city.ask("POST", f"/{audience}/sign-in/codes", {"phone": phone.number}, status=None)
    if asked.status == 429:
        return None
    challenge_id = asked.content["challenge_id"]
    tried: set[str] = set()

    async def look() -> Caller | None:
        for sms in await phone.fresh():
            for code in set(_CODE.findall(sms.text)) - tried:
                tried.add(code)
                answer = {"challenge_id": challenge_id, "phone": phone.number, "code": code}
                tokens = await stage.city.ask("POST", f"/{audience}/sign-in", answer, status=None)
                if tokens.status == 200:
                    return stage.city.proved(tokens.content["access_token"])
        return None

    found = await until(look, within_seconds=ARRIVES_WITHIN_SECONDS)
    if found is None:
        raise Broken("staff sign in with the code of an SMS", "a code that signs in", f"{len(tried)} codes")
    return found
