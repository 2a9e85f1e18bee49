BEGIN { printf("%.3d|%8.3d|%-8.3d|%08.3d|%.0d|\n", 5, 5, 5, 5, 0); exit(0); }
