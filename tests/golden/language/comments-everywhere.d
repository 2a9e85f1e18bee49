/* a
multi-line comment */
BEGIN /* c */ /* d */ / 1 /* e */ / { /* f */ trace(/* g */ 1); exit(0); }
