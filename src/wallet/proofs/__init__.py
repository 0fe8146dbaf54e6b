"""Printed proofs (可打印证明): a resident prints a certificate, and whoever holds the paper checks it."""
