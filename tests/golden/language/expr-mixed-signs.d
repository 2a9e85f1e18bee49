BEGIN { trace(-1 / 2U); trace(-1L / 2); trace((short)-1 * 2); trace(1 - 2U); exit(0); }
