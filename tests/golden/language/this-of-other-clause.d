BEGIN { this->a = 1; } END { trace(this->a); } BEGIN { exit(0); }
