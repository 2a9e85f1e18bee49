int zt; typedef int zt; BEGIN { zt = 1; exit(0); }
