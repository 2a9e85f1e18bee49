enum ze { ZA }; enum ze { ZB }; BEGIN { exit(0); }
