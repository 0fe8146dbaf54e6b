"""The forms in which codes, names and scanned texts come over the wire.

A pattern ends in `$(?!\\n)`: in Python `$` alone also lets a line feed pass at the end.
"""

from typing import Annotated

from msgspec import Meta

from kernel.plain_text import ONE_LINE
from wallet.identifier import SERIAL_LENGTH_MAX

_END = r"$(?!\n)"
KIND_CODE = rf"^[0-9A-Z]{{18}}[0-9]{{3}}{_END}"
ISSUER_CODE = rf"^([0-9A-Z]{{18}}|[0-9]{{12}}|[0-9]{{9}}|[0-9]{{6}}){_END}"
SCENARIO_CODE = rf"^[a-z][a-z0-9_]{{0,39}}(\.[a-z][a-z0-9_]{{0,39}}){{1,3}}{_END}"

KindCode = Annotated[str, Meta(pattern=KIND_CODE, examples=["11310000DEMA00013T001"])]
ScenarioCode = Annotated[str, Meta(pattern=SCENARIO_CODE, examples=["station.entry"])]
FieldName = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9_]{{0,63}}{_END}")]
Serial = Annotated[str, Meta(pattern=rf"^[0-9A-Z]{{1,{SERIAL_LENGTH_MAX}}}{_END}")]
Reference = Annotated[
    str,
    Meta(
        pattern=rf"^[\x21-\x7e]{{1,128}}{_END}",
        description="Your own number for the certificate.",
        examples=["2026-000123"],
    ),
]
IdNumber = Annotated[str, Meta(pattern=rf"^[1-9][0-9]{{16}}[0-9X]{_END}", examples=["310107198110069973"])]
CreditCode = Annotated[str, Meta(pattern=rf"^[0-9A-Z]{{18}}{_END}")]
District = Annotated[str, Meta(pattern=rf"^[0-9]{{6}}{_END}", examples=["310115"])]
Colour = Annotated[str, Meta(pattern=rf"^#[0-9a-fA-F]{{6}}{_END}", examples=["#2b5f9e"])]
Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=ONE_LINE)]
Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
