typedef int a_t[int]; BEGIN { exit(0); }
