struct s { int a; struct s *next; }; struct s n1; struct s n2;
BEGIN { n1.a = 1; n2.a = 2; n1.next = &n2; n2.next = NULL; trace(n1.next->a); print(&n1); exit(0); }
