BEGIN { trace((char)-1); trace((unsigned char)-1); trace((short)-1); trace((unsigned short)-1); trace((int)-1); trace((unsigned int)-1); trace((long)-1); trace((unsigned long)-1); exit(0);}
