"""`prove-delivery`: nothing that is owed is lost, shown against other people's servers whose logs are the judge."""
