"""The out folder: whole files, leases, runs on disk, tables read back."""
