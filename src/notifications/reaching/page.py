"""The page behind the link "unsubscribe" in an e-mail, for people whose mail program does not ask for them."""

from typing import Final

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}
_PAGE: Final = """<!doctype html><html lang="zh"><meta charset="utf-8"><title>随申办</title>
<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem;color:#222}
button{font:inherit;padding:.5rem 1rem}</style>
<h1>%s</h1><p>%s</p><p lang="en">%s</p>%s</html>
"""
ASKING: Final = _PAGE % (
    "不再接收此类邮件？",
    "确认后，这个邮箱不再收到此类通知邮件；站内消息不受影响。",
    "Confirm, and this address gets no more e-mail of this sort. Your inbox in Suishenban still has everything.",
    '<form method="post"><button>退订 Unsubscribe</button></form>',
)
DONE: Final = _PAGE % (
    "已退订",
    "这个邮箱不再收到此类通知邮件。可随时在随申办“通知偏好”中重新选择。",
    "This address gets no more e-mail of this sort. You may choose it again in Suishenban at any time.",
    "",
)
