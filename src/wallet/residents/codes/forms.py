"""In which form a code is wanted: as JSON, as its text alone, or drawn (RFC 9110 §12.5.1)."""

from collections.abc import Mapping

from kernel.errors import NotAcceptable

JSON = "application/json"
_FORMS = {
    "*/*": JSON,
    "application/*": JSON,
    JSON: JSON,
    "text/plain": "text/plain",
    "text/*": "text/plain",
    "image/svg+xml": "image/svg+xml",
    "image/*": "image/svg+xml",
    "image/png": "image/png",
}


def best_form(accept: str, forms: Mapping[str, str] = _FORMS) -> str:
    """The form that an Accept header asks for first, of those there are. Raises NotAcceptable."""
    if accept in forms:
        return forms[accept]
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept.split(",")):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        form = forms.get(media)
        quality = _quality(parameters)
        if form is not None and quality > 0:
            wanted.append((-quality, place, form))
    if not wanted:
        raise NotAcceptable
    return min(wanted)[2]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
