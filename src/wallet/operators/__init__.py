"""What operators do: say which kinds, issuers, scenarios, venues and devices there are."""
