int ZA; enum ze { ZA }; BEGIN { trace(ZA); exit(0); }
