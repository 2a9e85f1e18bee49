BEGIN { s = "abc"; trace((long)s); exit(0); }
