int SIGINT; BEGIN { exit(0); }
