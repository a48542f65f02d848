"""The formats of recordings, one a file: what its files hold, and who reads them."""
