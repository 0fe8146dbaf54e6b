"""Uses recorded before there was a log, or by code that knew of none, are taken into it."""
