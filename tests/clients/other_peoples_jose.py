"""Other people's JOSE libraries, unmodified, in an environment of their own: `jose/answering.py` asks them."""

from pathlib import Path
from typing import Any

from tests.clients.own_environment import answer, python_environment

FOLDER = Path(__file__).parent / "jose"


class Others:
    """Asks them one thing at a time, or several at once, which takes one start of their Python."""

    def __init__(self) -> None:
        self._python = python_environment("jose", FOLDER / "requirements.lock")

    def all(self, *questions: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """An answer to each question: what was said, or that it was refused."""
        answers: list[dict[str, Any]] = answer(self._python, FOLDER / "answering.py", questions)
        return answers

    def say(self, what: str, **arguments: Any) -> Any:
        """What they say. Fails when they refuse."""
        (said,) = self.all((what, arguments))
        assert "said" in said, said
        return said["said"]
