"""Subscribe messages of a demo city: they go to the chat platform's stand-in, under the demo's own templates."""

from gateway.miniapp.demo_texts import DEMO_TEXTS
from kernel.clock import Clock
from kernel.settings import Settings
from notifications.channels.subscribe.platform import SubscribePlatform
from notifications.channels.subscribe.texts import SubscribeTexts


def demo_texts(settings: Settings) -> SubscribeTexts:
    """What a demo city may send that way; nothing elsewhere."""
    return SubscribeTexts(DEMO_TEXTS if settings.demo else ())


def demo_platform(settings: Settings, clock: Clock) -> SubscribePlatform | None:
    """The way there, in a demo that has a mini-program. Opens nothing."""
    if not (settings.demo and settings.chat_platform_app_id):
        return None
    return SubscribePlatform(
        clock,
        settings.chat_platform_url,
        settings.chat_platform_app_id,
        settings.chat_platform_secret,
        demo_texts(settings),
    )
