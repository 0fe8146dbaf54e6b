"""Verify what Suishenban issues, without asking its servers: offline codes, status lists, trust lists, SD-JWT VCs.

A venue installs this alone: it stands on the standard library, `cryptography` and `cbor2`, and on nothing else.
"""
