"""Who trains what is missing, here, beside other processes, or on a cluster."""
