"""Why a city cannot be brought up, in words for the person at the terminal."""


class CannotStart(Exception):
    """What stands in the way, in one sentence, and what to do about it, in another. Never shown as a trace-back."""

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.sentence}\n  → {self.remedy}"
