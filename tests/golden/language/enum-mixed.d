enum ze { ZA }; enum zf { ZB }; enum ze x; BEGIN { x = ZB; trace(x); trace(ZA == ZB); exit(0); }
