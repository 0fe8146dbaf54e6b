"""All of the wallet on the wire, and the pages behind the texts in its codes."""

from litestar import MediaType, get
from litestar.params import FromPath

from kernel.audience import Handlers, merged
from kernel.principal import Audience
from wallet.departments import http as departments
from wallet.family import http as family
from wallet.ledger import http as ledger
from wallet.loading import http as loading
from wallet.offline import http as offline
from wallet.onboarding import http as onboarding
from wallet.operators import http as operators
from wallet.operators.listing import http as listing
from wallet.proofs import http as proofs
from wallet.residents import http as residents
from wallet.status import http as status
from wallet.trust import http as trust
from wallet.venues import http as venues

_PAGE = """<!doctype html>
<html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>随申办</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem;color:#222}</style>
<h1>%s</h1><p>%s</p><p lang="en">%s</p></html>
"""
_CODE_PAGE = _PAGE % (
    "这是一个出示码",
    "请让场所的设备扫描它。在这里打开不会核验，也不会显示任何信息。",
    "This is a code to be shown. Let the venue's device scan it: opening it here redeems nothing and reveals nothing.",
)
_ASK_PAGE = _PAGE % (
    "这是场所的征询码",
    "请用随申办应用或小程序扫描它，查看对方想了解什么，再决定是否同意。",
    "A venue is asking. Scan this code with the Suishenban app or mini-program to see what it asks, then decide.",
)


@get("/Q/{token:str}", operation_id="openCode", summary="What a shown code is, to whoever opens it",
     sync_to_thread=False, media_type=MediaType.HTML)  # fmt: skip
def open_code(token: FromPath[str]) -> str:
    """The same page for every token, ours or not: it is neither looked up nor spent."""
    del token
    return _CODE_PAGE


@get("/A/{token:str}", operation_id="openAsk", summary="What a venue's code is, to whoever opens it",
     sync_to_thread=False, media_type=MediaType.HTML)  # fmt: skip
def open_ask(token: FromPath[str]) -> str:
    """The same page for every token: scan it with the app or the mini-program to answer."""
    del token
    return _ASK_PAGE


_PUBLIC: Handlers = {Audience.PUBLIC: [open_code, open_ask]}
HANDLERS = merged(
    _PUBLIC, residents.HANDLERS, venues.HANDLERS, departments.HANDLERS, operators.HANDLERS, family.HANDLERS,
    onboarding.HANDLERS, listing.HANDLERS, status.HANDLERS, loading.HANDLERS, offline.HANDLERS, ledger.HANDLERS,
    trust.HANDLERS, proofs.HANDLERS,
)  # fmt: skip
