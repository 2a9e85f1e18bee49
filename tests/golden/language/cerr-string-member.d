BEGIN { x = execname.z; }
