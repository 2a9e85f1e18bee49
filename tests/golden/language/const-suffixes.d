BEGIN { trace(1u); trace(1U); trace(1ul); trace(1UL); trace(1lu); trace(1ull); trace(1LL); trace(1uLL); trace(sizeof(1u)); trace(sizeof(1l)); exit(0); }
