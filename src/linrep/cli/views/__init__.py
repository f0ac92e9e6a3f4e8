"""What commands print for a reader in a terminal."""
