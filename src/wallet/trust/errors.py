"""Every refusal of trust lists, exports and other cities."""

from kernel.errors import Conflict, NotFound, Unprocessable


class FieldNotOnCertificate(Unprocessable):
    """The certificate has no field of this name."""

    code = "wallet.field_not_on_certificate"


class CityNotFound(NotFound):
    """There is no such city among those recognised here."""

    code = "wallet.city_not_found"


class CityRefused(Unprocessable):
    """A city cannot be recognised like this: its address, its root keys or its list's address are not fit."""

    code = "wallet.city_refused"


class CityIssuerTaken(Conflict):
    """Another region is recognised under this issuer."""

    code = "wallet.city_issuer_taken"


class TrustListRefused(Unprocessable):
    """This is not a trust list that the city's root keys signed for itself and that holds now."""

    code = "wallet.trust_list_refused"


class TrustListOlder(Conflict):
    """A newer trust list of this city was read before."""

    code = "wallet.trust_list_older"
