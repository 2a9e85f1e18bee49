BEGIN { this->p = (char *)alloca(16); this->q = (char *)alloca(16); this->p[0] = 'a'; this->p[1] = 'b'; this->p[2] = 0; bcopy(this->p, this->q, 3); printf("%s\n", stringof(this->q)); exit(0); }
