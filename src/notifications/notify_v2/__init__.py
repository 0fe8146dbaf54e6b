"""The entrance that programs written for GOV.UK Notify use unmodified: version 2 of its API, for SMS and e-mail."""
