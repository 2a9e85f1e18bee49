BEGIN { trace(sizeof(self->q)); trace(sizeof(this->q)); self->q = "a"; exit(0); }
