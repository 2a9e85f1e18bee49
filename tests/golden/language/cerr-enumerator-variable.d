enum ze { ZA }; int ZA; BEGIN { exit(0); }
