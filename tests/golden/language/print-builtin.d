BEGIN { print(probename); exit(0); }
