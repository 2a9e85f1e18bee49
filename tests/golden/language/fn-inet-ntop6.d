BEGIN { this->b = (uint8_t *)alloca(16); this->b[0] = 0xfe; this->b[1] = 0x80; this->b[15] = 1; printf("%s\n", inet_ntop(AF_INET6, this->b)); exit(0); }
