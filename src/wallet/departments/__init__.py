"""What departments do: issue certificates, suspend, restore, revoke and supersede them."""
